"""Near duplicates: every pair that turning, mirroring and brightness leave alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.data import near
from cnncli.data.images import Images
from cnncli.data.near import THRESHOLD, near_pairs, symmetric
from cnncli.data.parts import Part, Parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.data.dataset import SplitName

SHAPES = st.tuples(*[st.integers(1, 16)] * 2, st.sampled_from([1, 3]))


def noise(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def parts_of(*pixels: NDArray[np.uint8]) -> Parts:
    names: tuple[SplitName, ...] = ("train", "validation", "test")
    images = [Images(p, np.zeros(len(p), np.uint8), np.arange(len(p))) for p in pixels]
    return Parts(
        tuple(Part(name, "train", i) for name, i in zip(names, images, strict=False))
    )


def found(*pixels: NDArray[np.uint8]) -> list[tuple[int, int, str]]:
    parts = parts_of(*pixels)
    pairs = near_pairs(parts, np.zeros(len(parts), bool))
    assert all(THRESHOLD <= pair.correlation <= 1 for pair in pairs)
    return [(pair.first, pair.second, pair.change) for pair in pairs]


def test_every_way_to_turn_and_mirror_is_found_by_its_name() -> None:
    image = noise(1, 1, 9, 9, 3)
    changed = symmetric(image)
    assert list(changed) == [
        "as it is",
        "mirrored",
        "turned by 90 degrees",
        "mirrored, turned by 90 degrees",
        "turned by 180 degrees",
        "mirrored, turned by 180 degrees",
        "turned by 270 degrees",
        "mirrored, turned by 270 degrees",
    ]
    for change, other in changed.items():
        # What was done to the first makes the first of it again.
        assert found(other, noise(2, 3, 9, 9, 3), image) == [(0, 4, change)]


def test_what_is_not_square_keeps_its_shape() -> None:
    image = noise(1, 1, 8, 5, 1)
    assert list(symmetric(image)) == [
        "as it is",
        "mirrored",
        "turned by 180 degrees",
        "mirrored, turned by 180 degrees",
    ]
    assert found(image, image[:, ::-1, ::-1]) == [(0, 1, "turned by 180 degrees")]


def test_lighter_darker_and_stored_anew() -> None:
    image = noise(1, 1, 12, 12, 1) // 2
    assert found(image, image + np.uint8(40)) == [(0, 1, "as it is")]
    assert found(image, image // 2) == [(0, 1, "as it is")]
    assert found(image, image ^ np.uint8(3)) == [(0, 1, "as it is")]
    assert found(image, 255 - image) == []
    assert found(image, noise(2, 1, 12, 12, 1)) == []


def test_constant_images_and_those_left_out_are_not_near() -> None:
    flat = np.full((3, 4, 4, 1), 9, np.uint8)
    assert found(flat) == []
    image = noise(1, 1, 4, 4, 1)
    parts = parts_of(np.concatenate([image] * 3))
    pairs = near_pairs(parts, np.array([False, True, False]))
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 2)]


@given(shape=SHAPES, seed=st.integers(0, 999), scale=st.sampled_from([1, 8, 64]))
def test_features_are_those_of_all_turned_and_never_further_apart(
    shape: tuple[int, int, int], seed: int, scale: int
) -> None:
    image, other = noise(seed, 2, *shape) // scale
    features: Any = near._features
    (first,), (second,) = features(image[None]), features(other[None])
    directions = near._directions(np.stack([image, other]))
    for changed in symmetric(image[None]).values():
        np.testing.assert_allclose(features(changed)[0], first, atol=1e-5)
    distances = [
        np.linalg.norm(directions[0] - changed[0])
        for changed in symmetric(directions[1:]).values()
    ]
    assert np.linalg.norm(first - second) <= min(distances) + 1e-5


@pytest.mark.parametrize(("tile", "verified"), [(3, 1), (4, 10**6), (2048, 200)])
def test_no_pair_is_missed(
    tile: int, verified: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "_TILE", tile)
    monkeypatch.setattr(near, "_VERIFIED", verified)
    rng = np.random.default_rng(3)
    base = noise(4, 5, 8, 8, 1).astype(int)
    images = base[rng.integers(0, 5, 30)] + rng.normal(0, 5, (30, 8, 8, 1))
    images = np.stack(
        [np.rot90(i, k) for i, k in zip(images, rng.integers(0, 4, 30), strict=True)]
    )
    pixels = images.clip(0, 255).astype(np.uint8)
    every = [
        (first, second)
        for first in range(30)
        for second in range(first + 1, 30)
        if max(
            np.corrcoef(pixels[first].ravel(), changed.ravel())[0, 1]
            for changed in symmetric(pixels[second][None]).values()
        )
        >= THRESHOLD
    ]
    assert 10 < len(every) < 200
    assert [pair[:2] for pair in found(pixels[:13], pixels[13:])] == every


def test_no_more_than_the_most_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "MOST_PAIRS", 4)
    image = noise(1, 1, 4, 4, 1) // 2
    alike = np.concatenate([image + shade for shade in range(5)])
    assert len(found(alike.astype(np.uint8))) == 4
