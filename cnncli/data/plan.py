"""Which split takes how many images: as a config says, or as fits the data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cnncli.config.schema import FashionMNIST, Split
from cnncli.data.counts import resolve_count

if TYPE_CHECKING:
    from cnncli.config.schema import Data, SplitMethod
    from cnncli.data.source import DataInfo

Size = int | float
"""A count of images, or a share of them between 0 and 1."""

_DOCUMENTED_TRAIN, _DOCUMENTED_VALIDATION = 10_000, 6_000
_TRAIN, _VALIDATION, _TEST = 0.8, 0.2, 0.2


@dataclass(frozen=True)
class SplitPlan:
    """How a data set is to be split, with nothing left open.

    Attributes:
        method: How training and validation images are chosen.
        train: Training images, of the training pool.
        validation: Validation images, of the training pool or of the test images.
        validation_from: Which of the two.
        test: Test images, of all, which are taken out before anything else; None if the
            data set has test images of its own.
        num_images: Images that the data set has beside test images of its own.
        num_test: Test images, of its own or taken.
        group: What tells from a picture's name of which object it is, if those of an
            object are to stay together; then counts are only nearly reached.
        seed: Decides which images are drawn; None for the config's own seed.
    """

    method: SplitMethod
    train: Size
    validation: Size
    validation_from: Literal["train", "test"]
    test: Size | None
    num_images: int
    num_test: int
    group: str | None = None
    seed: int | None = None

    @property
    def num_taken(self) -> int:
        """How many test images are taken out."""
        return 0 if self.test is None else self.num_test

    @property
    def pool(self) -> int:
        """How many images that leaves: the training pool."""
        return self.num_images - self.num_taken

    @property
    def num_train(self) -> int:
        """How many training images are asked for."""
        return resolve_count(self.train, self.pool)

    @property
    def validation_pool(self) -> int:
        """How many images those for validation are taken from."""
        return self.num_test if self.validation_from == "test" else self.pool

    @property
    def num_validation(self) -> int:
        """How many validation images are asked for."""
        return resolve_count(self.validation, self.validation_pool)

    @property
    def num_held_out(self) -> int:
        """How many of them are to be taken from the training pool."""
        return 0 if self.validation_from == "test" else self.num_validation

    def as_split(self) -> Split:
        """Return the plan as it stands in a resolved config."""
        return Split(
            method=self.method,
            train=self.train,
            validation=self.validation,
            validation_from=self.validation_from,
            test=self.test,
            group=self.group,
            seed=self.seed,
        )


def plan_split(config: Data, data: DataInfo) -> SplitPlan:
    """Fill in what a config leaves open of the split.

    Defaults are those of the documented experiment where its data is used, and what is
    set apart for validation where something is; elsewhere they are shares, or what is
    left of the pool where that is less.

    Args:
        config: What is said of the data.
        data: The data set's sizes.
    """
    split = config.split
    said = split.model_copy(update={"test": None, "seed": None})
    if data.num_validation and said == Split():
        return SplitPlan(
            "head",
            data.num_train - data.num_validation,
            data.num_validation,
            "train",
            None,
            data.num_train,
            data.num_test,
        )
    test = None if data.num_test else _given(split.test, _TEST)
    num_test = data.num_test if test is None else resolve_count(test, data.num_train)
    pool = data.num_train - (0 if test is None else num_test)
    train, validation = split.train, split.validation
    is_documented = _is_documented(config, data)
    if is_documented:
        train = _given(train, _DOCUMENTED_TRAIN)
        validation = _given(validation, _DOCUMENTED_VALIDATION)
    shares_pool = split.validation_from == "train"
    return SplitPlan(
        split.method or ("head" if is_documented else "stratified"),
        _given(train, _left(_TRAIN, pool, validation if shares_pool else None)),
        _given(validation, _left(_VALIDATION, pool, train if shares_pool else None)),
        split.validation_from,
        test,
        data.num_train,
        num_test,
        split.group,
        split.seed,
    )


def drawn_splits(split: Split) -> tuple[str, ...]:
    """Return the splits whose images the config's seed decides.

    Args:
        split: As in a resolved config.
    """
    if split.seed is not None:
        return ()
    tests = split.test is not None
    trains = tests or split.method != "head"
    validates = tests if split.validation_from == "test" else trains
    drawn = {"train": trains, "validation": validates, "test": tests}
    return tuple(name for name in drawn if drawn[name])


def _given(size: Size | None, default: Size) -> Size:
    return default if size is None else size


def _is_documented(config: Data, data: DataInfo) -> bool:
    """Return whether it is Fashion-MNIST, with what the documented experiment needs."""
    needed = _DOCUMENTED_TRAIN + _DOCUMENTED_VALIDATION
    return isinstance(config.source, FashionMNIST) and data.num_train >= needed


def _left(share: float, pool: int, other: Size | None) -> Size:
    """Return a share of the pool, or what another split leaves if that is less."""
    rest = pool if other is None else pool - resolve_count(other, pool)
    return share if rest < 1 or resolve_count(share, pool) <= rest else rest
