"""The targets: what cnncli wants of itself, against what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.figures import Figure

TRAINING = "training throughput"
EVALUATION = "evaluation of the test images"
JOB = "documented job, start to exit"
MEMORY_SMALL = "peak memory, 1,000 images"
MEMORY_LARGE = "peak memory, 60,000 images"
STARTUP = "start-up"
WRITING = "writing the run folder"

SMALL, LARGE = 1_000, 60_000
TRAINING_SMALL = f"cnncli, {SMALL:,} images"
TRAINING_LARGE = f"cnncli, {LARGE:,} images"
PIXELS = 28 * 28
FEW_PICTURES, MANY_PICTURES, PICTURE_SIDE = 1_000, 20_000, 256
PICTURES_FEW = f"peak memory, {FEW_PICTURES:,} pictures"
PICTURES_MANY = f"peak memory, {MANY_PICTURES:,} pictures"


@dataclass(frozen=True)
class Target:
    """A target and how near it is.

    Attributes:
        what: What is wanted.
        ours: What was measured of cnncli, for people.
        theirs: What it is compared with, for people; empty if with nothing.
        value: The ratio, or the figure itself where there is nothing to compare with.
        limit: What the value should be at least or at most.
        at_least: Which of the two.
        unit: Of the value.
    """

    what: str
    ours: str
    theirs: str
    value: float
    limit: float
    at_least: bool = False
    unit: str = "x"

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        if self.at_least:
            return self.value >= self.limit
        return self.value <= self.limit


@dataclass(frozen=True)
class _Comparison:
    """A target that compares the least costs of two contestants."""

    what: str
    figure: str
    ours: str
    theirs: str
    limit: float
    at_least: bool = False
    with_avx2: float | None = None

    def target(self, figure: Figure, *, is_wide: bool) -> Target:
        """Return the target; ``with_avx2`` is its limit without AVX-512, if another."""
        limit = self.limit if is_wide or self.with_avx2 is None else self.with_avx2
        theirs, ours = figure.minimum(self.theirs), figure.minimum(self.ours)
        return Target(
            self.what,
            figure.unit.show(ours),
            f"{self.theirs}: {figure.unit.show(theirs)}",
            theirs / ours if self.at_least else ours / theirs,
            limit,
            self.at_least,
        )


_COMPARISONS = (
    _Comparison(
        "training speed, script's", TRAINING, "cnncli", "script", 1.8, True, 4.0
    ),
    _Comparison(
        "training speed, PyTorch's", TRAINING, "cnncli", "PyTorch", 1.75, True, 2.0
    ),
    _Comparison(
        "training speed, the limit", TRAINING, "cnncli", "limit", 0.72, True, 0.62
    ),
    _Comparison(
        "training speed in bfloat16", TRAINING, "cnncli bfloat16", "script", 2.6, True
    ),
    _Comparison(
        "evaluation speed, PyTorch's", EVALUATION, "cnncli", "PyTorch", 1.4, True, 1.5
    ),
    _Comparison(
        "the whole documented job", JOB, "cnncli", "script", 0.45, with_avx2=0.35
    ),
    _Comparison("peak memory at 60,000 images", MEMORY_LARGE, "cnncli", "script", 0.6),
    _Comparison(
        "start-up of --help", STARTUP, "cnncli --help", "bare click --help", 2.5
    ),
)
_ABSOLUTES = (
    ("a config error", STARTUP, "cnncli config error", 0.5),
    ("summary CONFIG", STARTUP, "cnncli summary CONFIG", 0.5),
    ("writing the run folder", WRITING, "cnncli", 2.0),
)


def find_targets(figures: Mapping[str, Figure], *, is_wide: bool) -> Iterator[Target]:
    """Find the targets of which everything was measured.

    Args:
        figures: By name.
        is_wide: Whether the processor computes with AVX-512.
    """
    for comparison in _COMPARISONS:
        figure = figures.get(comparison.figure)
        if figure and {comparison.ours, comparison.theirs} <= set(figure.costs):
            yield comparison.target(figure, is_wide=is_wide)
    for what, name, contestant, limit in _ABSOLUTES:
        figure = figures.get(name)
        if figure:
            seconds = figure.minimum(contestant)
            yield Target(what, figure.unit.show(seconds), "", seconds, limit, unit="s")
    if {MEMORY_SMALL, MEMORY_LARGE} <= set(figures):
        yield _memory_growth(figures[MEMORY_SMALL], figures[MEMORY_LARGE])
    if {PICTURES_FEW, PICTURES_MANY} <= set(figures):
        yield _flat_memory(figures[PICTURES_FEW], figures[PICTURES_MANY])
    if TRAINING in figures:
        yield _even_cost(figures[TRAINING])


def _memory_growth(small: Figure, large: Figure) -> Target:
    smaller, larger = small.minimum("cnncli"), large.minimum("cnncli")
    pixels = (LARGE - SMALL) * PIXELS
    return Target(
        "growth of peak memory from 1,000 to 60,000 images",
        large.unit.show(larger),
        f"at 1,000: {small.unit.show(smaller)}",
        (larger - smaller) / pixels,
        1.3,
        unit="bytes a pixel",
    )


def _flat_memory(few: Figure, many: Figure) -> Target:
    smaller, larger = (
        max(figure.minimum(when) for when in figure.costs) for figure in (few, many)
    )
    side = f"{PICTURE_SIDE} x {PICTURE_SIDE}"
    return Target(
        f"peak memory at {MANY_PICTURES:,} pictures of {side} and at {FEW_PICTURES:,}",
        many.unit.show(larger),
        f"at {FEW_PICTURES:,}: {few.unit.show(smaller)}",
        larger / smaller,
        1.2,
    )


def _even_cost(figure: Figure) -> Target:
    small, large = TRAINING_SMALL, TRAINING_LARGE
    ratio = figure.ratio(large, small)
    return Target(
        "cost of an image at 60,000 images and at 1,000",
        figure.unit.show(figure.minimum(large)),
        f"at 1,000: {figure.unit.show(figure.minimum(small))}",
        max(ratio, 1 / ratio),
        1.1,
    )
