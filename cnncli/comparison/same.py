"""Whether runs were tried on the same images, image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnncli.config.problems import quoted
from cnncli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cnncli.comparison.run import Run


def check_same_images(runs: Sequence[Run]) -> None:
    """Refuse runs that were not tried on the same images as the first.

    Raises:
        DataError: Some were not; it says of each how the images differ.
    """
    first, *others = runs
    problems = [problem for other in others for problem in _problems(first, other)]
    if problems:
        raise DataError(*problems)


def _problems(first: Run, other: Run) -> Iterator[str]:
    """Find how the images of two runs differ; the first way says enough."""
    ours, theirs = first.predictions, other.predictions
    if not np.array_equal(ours.indices, theirs.indices):
        yield f"{other.name}: other images than {first.name}: {_counted(first, other)}"
        return
    unlike = [n for n, true in enumerate(ours.true) if theirs.true[n] != true]
    if unlike:
        index, at = ours.indices[unlike[0]], unlike[0]
        yield (
            f"{other.name}: other images than {first.name}, or other labels: "
            f"{len(unlike):,} of {len(ours.true):,} are of another class, such as "
            f"index {index}: {quoted(theirs.true[at])} instead of "
            f"{quoted(ours.true[at])}"
        )
    elif None not in (first.fingerprint, other.fingerprint) and (
        first.fingerprint != other.fingerprint
    ):
        yield (
            f"{other.name}: other images than {first.name}, though with the same "
            "labels: their fingerprints in manifest.json differ"
        )
    elif None not in (first.images_digest, other.images_digest) and (
        first.images_digest != other.images_digest
    ):
        yield (
            f"{other.name}: other images than {first.name}, though with the same "
            "labels: images_sha256 in metrics.json differs"
        )


def _counted(first: Run, other: Run) -> str:
    """Say how many images each of two runs has, and which one only one has."""
    ours, theirs = first.predictions.indices, other.predictions.indices
    common = len(np.intersect1d(ours, theirs, assume_unique=True))
    text = f"{len(theirs):,} and {len(ours):,}, of which {common:,} are in both"
    for run, mine, yours in ((first, ours, theirs), (other, theirs, ours)):
        lacking = np.setdiff1d(mine, yours, assume_unique=True)
        if len(lacking):
            text += f"; only {run.name} has index {lacking[0]}"
            break
    if _drawn_by_seed(first) and first.seed != other.seed:
        text += (
            "; they are drawn by the seed: compare runs of the same one, or set test "
            "images apart"
        )
    return text


def _drawn_by_seed(run: Run) -> bool:
    """Return whether a run's test images were taken out of all by its seed."""
    return run.config is not None and bool(run.config.data.split.test)
