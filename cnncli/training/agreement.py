"""What processes that train together agree on between the steps.

With one process, it agrees with itself at once.
"""

from __future__ import annotations

import hashlib
import json
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from cnncli.architecture.batches import PREDICTION_BATCH
from cnncli.backend.interface import Prediction
from cnncli.errors import ProcessesError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import keras
    from numpy.typing import NDArray

    from cnncli.backend.interface import Network, TrainingSteps
    from cnncli.data.images import Pixels
    from cnncli.data.normalization import Normalization
    from cnncli.processes.group import Group
    from cnncli.system.signals import StopRequest

_SECONDS_BETWEEN_REPORTS = 0.4
_SHORTEST_LIMIT = 60.0
_FIRST_LIMIT = 600.0  # the first step is compiled
_TIMES_AS_LONG = 20
_TIMES_COMPILING = 3  # a smaller last batch is compiled later


class Pace:
    """How many steps are taken at once: about as long as a report is due.

    Process 0 decides it for all; any of them may have been asked to stop.

    Args:
        group: Who trains.
        request: Whether this process was asked to stop; is told if another one was.
        most: Steps at once at the most.
    """

    def __init__(self, group: Group, request: StopRequest, most: int) -> None:
        self._group = group
        self._request = request
        self._most = most
        self._first = 0.0
        self._longest = 0.0
        self.chunk = 1
        self.is_stopped = False

    @property
    def limit(self) -> float:
        """How many seconds the steps, or what is between them, may take."""
        if not self._first:
            return _FIRST_LIMIT
        compiling = _TIMES_COMPILING * self._first
        return max(_SHORTEST_LIMIT, compiling, _TIMES_AS_LONG * self._longest)

    def agree(self, doing: str) -> bool:
        """Agree with the others on what comes next.

        Args:
            doing: Where in the run this is.

        Returns:
            Whether there is to be any.

        Raises:
            ProcessesError: Another process has ended, or doesn't come.
        """
        own = json.dumps([self._request.signal, self.chunk]).encode()
        every = self._group.exchange(own, doing=doing, limit=self.limit)
        said = [json.loads(value) for value in every]
        self.chunk = said[0][1]
        signal = next((number for number, _ in said if number), 0)
        if signal:
            self._request.signal = signal
        self.is_stopped = signal > 0
        return not self.is_stopped

    def watched(self, doing: str) -> AbstractContextManager[None]:
        """Watch over steps, which may never end where another process doesn't.

        Args:
            doing: Where in the run this is.
        """
        return self._group.steps(doing, self.limit)

    def took(self, steps: int, seconds: float) -> None:
        """Take note of how long some steps took."""
        if self._first:
            self._longest = max(self._longest, seconds)
        else:
            self._first = seconds
        fitting = int(_SECONDS_BETWEEN_REPORTS * steps / seconds)
        self.chunk = max(1, min(fitting, 4 * self.chunk, self._most))

    def check_alike(self, steps: TrainingSteps, epoch: int) -> None:
        """Refuse to go on where processes don't have the same variables, bit for bit.

        Args:
            steps: Their variables are looked at.
            epoch: That which has ended.

        Raises:
            ProcessesError: They differ.
        """
        group, digest = self._group, hashlib.sha256()
        for _, value in steps.variables() if group.count > 1 else ():
            digest.update(np.ascontiguousarray(value).data)
        every = group.exchange(
            digest.digest(), doing=f"comparing epoch {epoch}", limit=self.limit
        )
        for index, other in enumerate(every):
            if other != every[0]:
                raise ProcessesError(
                    f"epoch {epoch}: the weights of process {index} on "
                    f"{group.hosts[index]} are not those of process 0 on "
                    f"{group.hosts[0]}; one of the machines computes otherwise: "
                    "another processor, GPU or version"
                )


class SharedNetwork:
    """A network of which each process predicts a share of the images.

    The shares are of whole batches, so that the predictions are those of one process.

    Args:
        network: This process's; the weights are the same in each.
        group: Who predicts.
        limit: How many seconds a process may be behind the others.
    """

    def __init__(self, network: Network, group: Group, limit: float) -> None:
        self.model: keras.Model = network.model
        self.normalization: Normalization = network.normalization
        self._network = network
        self._group = group
        self._limit = limit

    def predict(self, pixels: Pixels, labels: NDArray[np.uint8]) -> Prediction:
        """Predict and measure every image; all processes have to.

        Args:
            pixels: (n, height, width, channels).
            labels: (n,) class numbers.

        Raises:
            MemoryError: There is too little of it.
            ProcessesError: Another process has ended, or doesn't come.
        """
        index, count = self._group.index, self._group.count
        batches = -(-len(labels) // PREDICTION_BATCH)
        first, last = (
            batches * number // count * PREDICTION_BATCH
            for number in (index, index + 1)
        )
        own = b""
        if first < last:
            share = slice(first, last)
            own = _to_bytes(self._network.predict(pixels[share], labels[share]))
        every = self._group.exchange(
            own, doing=f"predicting {len(labels):,} images", limit=self._limit
        )
        shares = [_from_bytes(value) for value in every if value]
        return Prediction(
            np.concatenate([share.probabilities for share in shares]),
            {
                name: np.concatenate([share.measures[name] for share in shares])
                for name in shares[0].measures
            },
        )

    def activations(
        self, pixels: NDArray[np.uint8], layers: Sequence[str] | None = None
    ) -> list[NDArray[np.float32]]:
        """Return what layers of the model give; no other process has a part in it.

        Args:
            pixels: (n, height, width, channels).
            layers: Their names; without them, every layer in order.
        """
        return self._network.activations(pixels, layers)


def shared_network(network: Network, group: Group) -> Network:
    """Return a network of which each process of a group predicts a share."""
    if group.count == 1:
        return network
    return SharedNetwork(network, group, _FIRST_LIMIT)


def _to_bytes(prediction: Prediction) -> bytes:
    file = BytesIO()
    np.savez(file, prediction.probabilities, allow_pickle=False, **prediction.measures)
    return file.getvalue()


def _from_bytes(value: bytes) -> Prediction:
    with np.load(BytesIO(value), allow_pickle=False) as arrays:
        measures = dict(arrays)
        return Prediction(measures.pop("arr_0"), measures)
