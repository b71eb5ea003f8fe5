"""Checkpoints: the state of a run kept on the disk, and gone on from."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from cnncli.errors import ModelFileError
from cnncli.modelfile.place import STATE_NAME
from cnncli.runs.state import State, write_state
from cnncli.system.files import check_space
from cnncli.training.fit import check_finite
from cnncli.training.watchers import Watcher

if TYPE_CHECKING:
    import keras

    from cnncli.backend.interface import TrainingSteps
    from cnncli.runs.folder import RunFolder
    from cnncli.training.progress import TrainingProgress

SECONDS_BETWEEN_STATES = 30.0


class Checkpoints(Watcher):
    """Writes the state after each epoch, and now and then within one.

    Args:
        folder: The run's.
        identity: What must be the same for the run to go on; see ``State``.
        model: What is trained.
        steps: Its training steps.
    """

    def __init__(
        self,
        folder: RunFolder,
        identity: dict[str, dict[str, Any]],
        model: keras.Model,
        steps: TrainingSteps,
    ) -> None:
        self._folder = folder
        self._identity = identity
        self._model = model
        self._steps = steps
        self._written = 0.0
        self._whole_epochs = 0

    def reached(self, progress: TrainingProgress) -> None:
        """Write the state if it is time to.

        Raises:
            OutputError: It can't be written.
            TrainingError: A weight is not finite; the last good state stays.
        """
        elapsed = time.monotonic() - self._written
        if progress.step == 0 or elapsed > SECONDS_BETWEEN_STATES:
            self.write(progress)

    def write(self, progress: TrainingProgress) -> None:
        """Write the state.

        Raises:
            OutputError: It can't be written.
            TrainingError: A weight is not finite; the last good state stays.
        """
        if progress.step:
            rate = self._steps.learning_rate
            check_finite(self._model, progress.epoch, rate, {})
        state = State(self._identity, progress, self._steps.variables())
        write_state(self._folder / STATE_NAME, state)
        self._note(progress)

    def last_good_state(self) -> str:
        """Return how a run that diverged can still end well; empty if it can't."""
        if not self._whole_epochs:
            return ""
        return (
            f"; to end the run after epoch {self._whole_epochs}, whose state is kept: "
            f"{self._folder.resume_command} --set training.epochs={self._whole_epochs}"
        )

    def restore(self, state: State) -> None:
        """Give model and optimizer the variables of a state.

        Raises:
            ModelFileError: They are not the variables of this model and optimizer.
        """
        found = [(path, value.shape) for path, value in state.variables]
        if self._steps.shapes() != found:
            raise ModelFileError(
                f"{self._folder / STATE_NAME}: the variables in it are not those of "
                "the config's network and optimizer; start the run anew with "
                "--overwrite"
            )
        self._steps.assign([value for _, value in state.variables])
        self._note(state.progress)

    def check_space(self, more: int) -> None:
        """Refuse to start where the disk has no room for what the run will write.

        Args:
            more: Bytes of all files but the state.

        Raises:
            OutputError: There is no room, or the process may not write such files.
        """
        state = 4 * sum(math.prod(shape) for _, shape in self._steps.shapes())
        # While a new state is written, the one before it is still there.
        check_space(self._folder.path, total=2 * state + more, largest=state)

    def _note(self, progress: TrainingProgress) -> None:
        """Note that the state on the disk is this one."""
        self._written = time.monotonic()
        self._whole_epochs = 0 if progress.step else len(progress.history)
