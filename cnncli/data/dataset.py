"""The images of a run: read from a data source, split and normalised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from cnncli.config.schema import Divide
from cnncli.data.brightness import Brightness
from cnncli.data.normalization import Normalization
from cnncli.data.plan import plan_split
from cnncli.data.source import PictureSource
from cnncli.data.splits import (
    SPLIT_STREAM,
    TEST_STREAM,
    deal_groups,
    draw_test,
    indices_digest,
    split_indices,
)
from cnncli.data.streams import read_all
from cnncli.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.config import Config
    from cnncli.data.images import Images
    from cnncli.data.plan import SplitPlan
    from cnncli.data.source import DataInfo, Pool

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Splits:
    """The images of a run.

    Attributes:
        train: The images that the weights are fitted to.
        validation: The images that are measured after each epoch; there may be none.
        test: The images that are measured at the end.
        normalization: The map of the pixels of all three.
        fingerprints: Digest of each whole pool, by "train" and "test".
        indices_digest: Digest of the training and the validation images' indices.
        brightness: How light the training images are.
    """

    train: Images
    validation: Images
    test: Images
    normalization: Normalization
    fingerprints: dict[str, str]
    indices_digest: str
    brightness: Brightness

    def describe(self) -> dict[str, Any]:
        """Return the manifest's account of the images."""
        return {
            "fingerprints": self.fingerprints,
            "train_images": len(self.train),
            "validation_images": len(self.validation),
            "test_images": len(self.test),
            "split_digest": self.indices_digest,
            "brightness": self.brightness.to_dict(),
        }


def load_splits(config: Config, data: DataInfo) -> Splits:
    """Read a data set and split it as the config says.

    Raises:
        DataError: Files are missing or damaged, a pool has fewer images than the split
            asks for, a channel that is to be standardised is constant, or the training
            images are all of one class.
    """
    plan = plan_split(config.data, data)
    pools = read_all(*(partial(data.source.load, pool) for pool in _pools(data)))
    pool = pools[0]
    drawn = _draw(config, plan, pool, data)
    train = pool.take(drawn.train)
    _check_classes(train, data)
    test = pool.take(drawn.test) if plan.num_taken else pools[1]
    validation = (
        test.first(plan.num_validation)
        if plan.validation_from == "test"
        else pool.take(drawn.validation)
    )
    method = config.data.normalization
    normalization = (
        Normalization.divide_by(method.by, data.image_shape[-1])
        if isinstance(method, Divide)
        else Normalization.standardize(train.pixels)
    )
    taken = [test.indices] if plan.num_taken else []
    return Splits(
        train,
        validation,
        test,
        normalization,
        {
            name: images.digest()
            for name, images in zip(_pools(data), pools, strict=True)
        },
        indices_digest(train.indices, validation.indices, *taken),
        Brightness.of(train.pixels),
    )


def load_split(
    config: Config, data: DataInfo, name: SplitName
) -> tuple[Images, dict[str, str]]:
    """Read one split, and no more of the data set than that takes.

    Returns:
        The images, and the digests of the pools that were read, by "train", "test".

    Raises:
        DataError: A file is missing or damaged, or the pool has fewer images than the
            split asks for.
    """
    plan = plan_split(config.data, data)
    from_test = name == "validation" and plan.validation_from == "test"
    is_test = name == "test" or from_test
    if is_test and not plan.num_taken:
        pool: Pool = "test"
        images = chosen = data.source.load(pool)
    else:
        pool = "train"
        images = data.source.load(pool)
        drawn = _draw(config, plan, images, data)
        chosen = images.take(getattr(drawn, "test" if is_test else name))
    if from_test:
        chosen = chosen.first(plan.num_validation)
    return chosen, {pool: images.digest()}


def load_for_testing(data: DataInfo) -> Images:
    """Read a data set's own test images, or all if it sets none apart.

    Raises:
        DataError: Files are missing or damaged.
    """
    return data.source.load(_pools(data)[-1])


class _Drawn(NamedTuple):
    """Where the images of each split stand among those that a source has to train on.

    Attributes:
        train: (n,) positions.
        validation: (n,) positions; none if validation images are test images.
        test: (n,) positions; none if the source has test images of its own.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def _pools(data: DataInfo) -> tuple[Pool, ...]:
    """Return what can be loaded of a data set."""
    return ("train", "test") if data.num_test else ("train",)


def _check_classes(train: Images, data: DataInfo) -> None:
    first = train.labels[0]
    if len(train) == 1:
        raise DataError(
            f"{data.train_labels}: data.split.train takes one image alone, so there "
            "is nothing to tell apart; 1 is one image, 1.0 are all"
        )
    if (train.labels == first).all():
        raise DataError(
            f"{data.train_labels}: all {len(train):,} training images are of "
            f"the class {data.class_names[first]!r}, so there is nothing to tell "
            "apart; draw them with data.split.method: stratified, or use other data"
        )


def _draw(config: Config, plan: SplitPlan, images: Images, data: DataInfo) -> _Drawn:
    """Take test images out, if there are no others, and split the rest.

    Raises:
        DataError: There are too few, or it can't be told of which object each is.
    """
    seed = config.seed if plan.seed is None else plan.seed
    if plan.group is not None:
        objects = objects_of(data, plan.group)
        return _draw_objects(plan, images, objects, seed)
    test = draw_test(images.labels, plan.num_taken, seed)
    rest = np.delete(np.arange(len(images)), test)
    train, validation = split_indices(
        images.labels[rest],
        method=plan.method,
        train=plan.num_train,
        validation=plan.num_held_out,
        seed=seed,
    )
    return _Drawn(rest[train], rest[validation], test)


def _draw_objects(
    plan: SplitPlan, images: Images, objects: list[str], seed: int
) -> _Drawn:
    """Draw as ``_draw`` does, but all images of an object into the same split.

    Raises:
        DataError: A split gets none.
    """
    names = np.array(objects)
    (test,) = deal_groups(
        images.labels, names, (plan.num_taken,), seed, stream=TEST_STREAM
    )
    rest = np.delete(np.arange(len(images)), test)
    train, validation = deal_groups(
        images.labels[rest],
        names[rest],
        (plan.num_train, plan.num_held_out),
        seed,
        stream=SPLIT_STREAM,
        by_class=plan.method == "stratified",
    )
    for name, count, drawn in (
        ("training", plan.num_train, train),
        ("validation", plan.num_held_out, validation),
        ("test", plan.num_taken, test),
    ):
        if count and not len(drawn):
            raise DataError(
                f"data.split.group: no object is left for {count:,} {name} images, as "
                f"all those of one stay together; objects in all: {len(set(objects)):,}"
            )
    return _Drawn(rest[train], rest[validation], np.sort(test))


def objects_of(data: DataInfo, pattern: str) -> list[str]:
    """Tell from the names of pictures to train on of which object each is.

    Args:
        data: Where they are.
        pattern: A regular expression; its first group is the name of the object.

    Raises:
        DataError: Names aren't such, or the images have none.
    """
    if not isinstance(data.source, PictureSource):
        raise DataError(f"{data.place}: data.split.group: the images have no names")
    names = data.source.names("train")
    found = [re.search(pattern, Path(name).name) for name in names]
    others = [
        name
        for name, match in zip(names, found, strict=True)
        if match is None or match[1] is None
    ]
    if others:
        raise DataError(
            f"{data.place}: data.split.group: {pattern!r} isn't in the name of "
            f"{len(others):,} of the {len(names):,} pictures, such as {others[0]}"
        )
    return [str(match[1]) for match in found if match]
