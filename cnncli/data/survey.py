"""What a data set is made of, before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnncli.data.checks import CHECKS
from cnncli.data.dataset import load_splits
from cnncli.data.duplicates import (
    copied_within,
    equal_groups,
    image_digests,
    under_several,
)
from cnncli.data.headers import fitted, read_headers
from cnncli.data.images import blocks
from cnncli.data.near import NearPair, near_pairs
from cnncli.data.normalization import histograms_of, mean_and_deviation
from cnncli.data.parts import Part, Parts
from cnncli.data.plan import plan_split
from cnncli.data.source import PictureSource
from cnncli.data.sources import source_at

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cnncli.config import Config
    from cnncli.data.checks import Check
    from cnncli.data.dataset import SplitName
    from cnncli.data.headers import Headers
    from cnncli.data.images import Images
    from cnncli.data.normalization import Normalization
    from cnncli.data.source import DataInfo, Pool

SCHEMA = "cnncli.data/1"
MOST_TIMES = 10
"""How many times as many training images the largest class may have as the smallest."""


class Channel(NamedTuple):
    """The pixel values of one channel, from 0 to 255.

    Attributes:
        lowest: The smallest.
        highest: The largest.
        mean: Their mean.
        deviation: Their standard deviation, of the population.
    """

    lowest: int
    highest: int
    mean: float
    deviation: float


@dataclass(frozen=True)
class Survey:
    """What was found out about a data set.

    Attributes:
        data: Its sizes and classes.
        parts: Its images.
        channels: The pixel values of the training images, by channels.
        groups: The numbers of images that are equal, for each that occurs repeatedly.
        near: Pairs of images that are all but equal, those of different parts first.
        constant: The numbers of images that have but one value in each channel.
        headers: What picture files say of themselves, if they are such.
        names: What images are called, by their pools, if they have names.
        normalization: What a config does to pixel values, if there is one.
    """

    data: DataInfo
    parts: Parts
    channels: tuple[Channel, ...]
    groups: list[NDArray[np.int64]]
    near: list[NearPair]
    constant: list[int]
    headers: Headers | None
    names: Mapping[Pool, Sequence[str]]
    normalization: Normalization | None

    @cached_property
    def class_counts(self) -> dict[SplitName, list[int]]:
        """How many images of each class a part has, by the part."""
        classes = len(self.data.class_names)
        return {
            part.name: np.bincount(part.images.labels, minlength=classes).tolist()
            for part in self.parts.parts
        }

    @cached_property
    def conflicts(self) -> list[NDArray[np.int64]]:
        """The numbers of equal images that are not all of one class."""
        return under_several(self.groups, self.parts.labels)

    @cached_property
    def leaks(self) -> list[NDArray[np.int64]]:
        """The numbers of equal images that are not all of one part."""
        return under_several(self.groups, self.parts.owners)

    @cached_property
    def copies(self) -> list[NDArray[np.int64]]:
        """The numbers of equal images of which a part has two."""
        return copied_within(self.groups, self.parts.owners)

    @cached_property
    def seen(self) -> list[tuple[SplitName, SplitName, int]]:
        """How many images of a part are also in one before it, if any, by the parts."""
        owners = self.parts.owners
        counts = Counter[tuple[int, int]]()
        for group in self.leaks:
            for unseen, count in Counter(owners[group].tolist()).items():
                for seen in {*owners[group].tolist()}:
                    counts[unseen, seen] += count
        names = [part.name for part in self.parts.parts]
        return [
            (names[unseen], names[seen], count)
            for (unseen, seen), count in sorted(counts.items())
            if seen < unseen
        ]

    @cached_property
    def missing(self) -> list[tuple[SplitName, str]]:
        """The parts, each with a class of which it has no image."""
        return [
            (part, name)
            for part, counts in self.class_counts.items()
            for name, count in zip(self.data.class_names, counts, strict=True)
            if count == 0
        ]

    @cached_property
    def extremes(self) -> tuple[int, int]:
        """The classes with the fewest and with the most training images, if any."""
        counts = np.array(self.class_counts["train"])
        there = np.flatnonzero(counts)
        return int(there[counts[there].argmin()]), int(counts.argmax())

    @property
    def is_imbalanced(self) -> bool:
        """Whether a class has more than ``MOST_TIMES`` the images of another."""
        counts = self.class_counts["train"]
        fewest, most = self.extremes
        return counts[most] > MOST_TIMES * counts[fewest]

    def count(self, check: Check) -> int:
        """Return how often something was found."""
        return {
            "conflict": len(self.conflicts),
            "leak": len(self.leaks),
            "duplicates": len(self.copies),
            "near": len(self.near),
            "constant": len(self.constant),
            "missing-class": len(self.missing),
            "imbalance": int(self.is_imbalanced),
        }[check]

    @property
    def num_across(self) -> int:
        """How many near duplicates are of different parts."""
        return sum(is_across(self.parts, pair) for pair in self.near)

    def describe(self, number: int) -> dict[str, Any]:
        """Return which image it is, as JSON can hold it."""
        part, index = self.parts.at(number)
        names = self.names.get(part.pool)
        return {
            "split": part.name,
            "index": index,
            "name": names[index] if names else None,
            "class": self.data.class_names[self.parts.labels[number]],
        }

    def to_dict(self) -> dict[str, Any]:
        """Return what ``data --json`` says; the keys are in docs/json.md."""
        return {
            "schema": SCHEMA,
            "place": str(self.data.place),
            "notes": list(self.data.notes),
            "image_shape": list(self.data.image_shape),
            "channels": [
                dict(zip(("min", "max", "mean", "standard_deviation"), c, strict=True))
                for c in self.channels
            ],
            "classes": [
                {"name": name}
                | {part: counts[n] for part, counts in self.class_counts.items()}
                for n, name in enumerate(self.data.class_names)
            ],
            "pictures": self.headers.to_dict() if self.headers else None,
            "found": {check: self.count(check) for check in CHECKS},
            "seen": [
                {"split": unseen, "also_in": seen, "images": count}
                for unseen, seen, count in self.seen
            ],
            "missing_classes": [
                {"split": part, "class": name} for part, name in self.missing
            ],
            "conflict": self._listed(self.conflicts),
            "leak": self._listed(self.leaks),
            "duplicates": self._listed(self.copies),
            "near": [
                {
                    "images": [self.describe(pair.first), self.describe(pair.second)],
                    "correlation": pair.correlation,
                    "change": pair.change,
                }
                for pair in self.near
            ],
            "constant": [self.describe(number) for number in self.constant],
        }

    def _listed(self, groups: list[NDArray[np.int64]]) -> list[list[dict[str, Any]]]:
        return [list(map(self.describe, group.tolist())) for group in groups]


def survey_config(config: Config, data: DataInfo) -> Survey:
    """Look at a data set as a config splits it.

    Validation images that are test images too stand with the test images alone.

    Raises:
        DataError: Images can't be read or split; see ``load_splits``.
    """
    headers = read_headers(data)
    splits = load_splits(config, data)
    plan = plan_split(config.data, data)
    parts = [Part("train", "train", splits.train)]
    if plan.validation_from == "train":
        parts.append(Part("validation", "train", splits.validation))
    parts.append(Part("test", "test" if data.num_test else "train", splits.test))
    return _survey(data, Parts(tuple(parts)), headers, splits.normalization)


def survey_path(place: Path) -> Survey:
    """Look at all of a data set, in the parts that it has itself.

    Args:
        place: Where it is; see ``source_at``.

    Raises:
        DataError: Images can't be read.
    """
    described = source_at(place, None).describe()
    data, headers = fitted(described, read_headers(described))
    images = data.source.load("train")
    order = np.arange(len(images))
    first = len(images) - data.num_validation
    parts = [Part("train", "train", images.take(order[:first]))]
    if data.num_validation:
        parts.append(Part("validation", "train", images.take(order[first:])))
    if data.num_test:
        parts.append(Part("test", "test", data.source.load("test")))
    return _survey(data, Parts(tuple(parts)), headers)


def is_across(parts: Parts, pair: NearPair) -> bool:
    """Return whether a pair's images are of different parts."""
    return bool(parts.owners[pair.first] != parts.owners[pair.second])


def drawn_of_each_class(
    survey: Survey, most: int, seed: int
) -> Iterator[NDArray[np.uint8]]:
    """Draw training images of each class.

    Args:
        survey: The data set.
        most: How many of a class, if it has as many.
        seed: Decides which; 0 to 2**64 - 1.

    Yields:
        (n, height, width, channels), in the order of the pool.
    """
    images = survey.parts.parts[0].images
    for number in range(len(survey.data.class_names)):
        members = np.flatnonzero(images.labels == number)
        key = np.array([seed, number], np.uint64)
        drawn = np.random.Generator(np.random.Philox(key=key)).permutation(members)
        yield images.pixels[np.sort(drawn[:most])]


def _survey(
    data: DataInfo,
    parts: Parts,
    headers: Headers | None,
    normalization: Normalization | None = None,
) -> Survey:
    digests = [image_digests(part.images.pixels) for part in parts.parts]
    groups = equal_groups(np.concatenate(digests))
    left_out = np.zeros(len(parts), bool)
    for group in groups:
        left_out[group[1:]] = True
    source = data.source
    pools = {part.pool for part in parts.parts}
    return Survey(
        data,
        parts,
        tuple(_channels(parts.parts[0].images)),
        groups,
        sorted(
            near_pairs(parts, left_out), key=lambda pair: not is_across(parts, pair)
        ),
        np.flatnonzero(_are_constant(parts)).tolist(),
        headers,
        {pool: source.names(pool) for pool in pools}
        if isinstance(source, PictureSource)
        else {},
        normalization,
    )


def _channels(images: Images) -> Iterator[Channel]:
    for histogram in histograms_of(images.pixels):
        values = np.flatnonzero(histogram)
        yield Channel(int(values[0]), int(values[-1]), *mean_and_deviation(histogram))


def _are_constant(parts: Parts) -> NDArray[np.bool_]:
    """Return which images have but one value in each channel, (n,)."""
    return np.concatenate(
        [
            (block == block[:, :1, :1]).all(axis=(1, 2, 3))
            for part in parts.parts
            for block in blocks(part.images.pixels)
        ]
    )
