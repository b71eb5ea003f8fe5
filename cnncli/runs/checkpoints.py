"""Keeping the state of a run on the disk, and going on from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli.errors import ModelFileError, StoppedError
from cnncli.modelfile.place import STATE_NAME
from cnncli.runs.state import Fit, State, write_state
from cnncli.system.files import check_space
from cnncli.training.fit import check_finite
from cnncli.training.watchers import Watcher

if TYPE_CHECKING:
    import keras

    from cnncli.runs.folder import RunFolder
    from cnncli.system.signals import StopRequest

SECONDS_BETWEEN_STATES = 30.0


class Checkpoints(Watcher):
    """Writes the state after each epoch, now and then within one, and to stop.

    Args:
        folder: The run's.
        identity: As in ``State``.
        model: What is trained.
        optimizer: Its optimizer, built.
        request: Says when to stop.
    """

    def __init__(
        self,
        folder: RunFolder,
        identity: dict[str, dict[str, Any]],
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        request: StopRequest,
    ) -> None:
        self._folder = folder
        self._identity = identity
        self._model = model
        self._optimizer = optimizer
        self._variables = [*model.variables, *optimizer.variables]
        self._request = request
        self._written = 0.0
        self._whole_epochs = 0

    def reached(self, fit: Fit) -> None:
        """Write the state if it is time to.

        Raises:
            OutputError: It can't be written.
            StoppedError: A signal has asked for it; the state is written.
            TrainingError: A weight is not finite; the last good state stays.
        """
        elapsed = time.monotonic() - self._written
        if fit.step == 0 or self._request.signal or elapsed > SECONDS_BETWEEN_STATES:
            self.write(fit)
        stop_if_asked(self._request, self._folder, fit)

    def write(self, fit: Fit) -> None:
        """Write the state."""
        if fit.step:
            rate = float(self._optimizer.learning_rate)
            check_finite(self._model, fit.epoch, rate, {})
        variables = [(variable.path, variable.numpy()) for variable in self._variables]
        write_state(self._folder / STATE_NAME, State(self._identity, fit, variables))
        self._note(fit)

    def last_good_state(self) -> str:
        """Return how a run that diverged can still end well; empty if it can't."""
        if not self._whole_epochs:
            return ""
        return (
            f"; to end the run after epoch {self._whole_epochs}, whose state is kept: "
            f"{self._folder.resume_command} --set training.epochs={self._whole_epochs}"
        )

    def restore(self, state: State) -> Fit:
        """Give model and optimizer the variables of a state; return how far it is.

        Raises:
            ModelFileError: They are not the variables of this model and optimizer.
        """
        wanted = [(v.path, tuple(v.shape)) for v in self._variables]
        found = [(path, value.shape) for path, value in state.variables]
        if wanted != found:
            raise ModelFileError(
                f"{self._folder / STATE_NAME}: the variables in it are not those of "
                "the config's network and optimizer; start the run anew with "
                "--overwrite"
            )
        for variable, (_, value) in zip(self._variables, state.variables, strict=True):
            variable.assign(value)
        self._note(state.fit)
        return state.fit

    def check_space(self, more: int) -> None:
        """Refuse to start where the disk has no room for what the run will write.

        Args:
            more: Bytes of all files but the state.
        """
        state = sum(int(np.prod(v.shape)) * 4 for v in self._variables)
        # While a new state is written, the one before it is still there.
        check_space(self._folder.path, total=2 * state + more, largest=state)

    def _note(self, fit: Fit) -> None:
        """Note that the state on the disk is this one."""
        self._written = time.monotonic()
        self._whole_epochs = 0 if fit.step else len(fit.history)


def stop_if_asked(request: StopRequest, folder: RunFolder, fit: Fit) -> None:
    """Stop if a signal has asked for it; the state is on the disk.

    Raises:
        StoppedError: It has.
    """
    if request.signal:
        raise StoppedError(
            request.signal,
            f"stopped {fit.position}; go on with: {folder.resume_command}",
        )
