"""Normalisation: exact numbers, the same arithmetic everywhere, safe storage."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.data.normalization import Normalization
from cnncli.errors import DataError, ModelFileError


def random_images(shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def test_division_is_the_text_book_s() -> None:
    chosen = Normalization.divide_by(255, channels=3)
    assert chosen == Normalization(mean=(0.0,) * 3, deviation=(255.0,) * 3)


def test_each_channel_has_its_own_numbers() -> None:
    images = np.array([[[[10, 100]]], [[[30, 200]]]], np.uint8)
    chosen = Normalization.standardize(images)
    assert chosen == Normalization(mean=(20.0, 150.0), deviation=(10.0, 50.0))
    assert images.tolist() == [[[[10, 100]]], [[[30, 200]]]]


@pytest.mark.parametrize("block_pixels", [1, 1_000, 2**20])
@pytest.mark.parametrize("channels", [1, 3])
def test_standardised_images_have_mean_0_and_deviation_1(
    monkeypatch: pytest.MonkeyPatch, channels: int, block_pixels: int
) -> None:
    monkeypatch.setattr("cnncli.data.images._BLOCK_PIXELS", block_pixels)
    images = random_images((50, 9, 7, channels))
    images[..., 0] //= 3
    chosen = Normalization.standardize(images)
    assert chosen.mean == pytest.approx(images.mean((0, 1, 2)), rel=1e-14)
    assert chosen.deviation == pytest.approx(images.std((0, 1, 2)), rel=1e-14)
    normalized = (images - np.array(chosen.mean)) / np.array(chosen.deviation)
    assert normalized.mean((0, 1, 2)) == pytest.approx([0] * channels, abs=1e-12)
    assert normalized.std((0, 1, 2)) == pytest.approx([1] * channels, abs=1e-12)


def test_a_constant_channel_is_refused() -> None:
    images = random_images((20, 4, 4, 2))
    images[..., 1] = 7
    with pytest.raises(DataError) as caught:
        Normalization.standardize(images)
    assert str(caught.value) == (
        "can't standardise the images: every pixel of channel 1 is 7 in all 20 "
        "training images; divide by a constant instead"
    )


def test_one_different_pixel_is_enough() -> None:
    images = np.full((1_000, 28, 28, 1), 255, np.uint8)
    images[0, 0, 0, 0] = 254
    n = images.size
    assert Normalization.standardize(images).deviation == pytest.approx(
        [(n - 1) ** 0.5 / n], rel=1e-15
    )


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(numbers, numbers.filter(lambda n: n > 0)), min_size=1))
def test_stored_numbers_come_back_to_the_last_bit(
    channels: list[tuple[float, float]],
) -> None:
    mean, deviation = zip(*channels, strict=True)
    chosen = Normalization(mean, deviation)
    stored = json.loads(json.dumps(chosen.to_dict()))
    assert Normalization.from_dict(stored) == chosen


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        {},
        {"mean": [0.0]},
        {"mean": 0.0, "deviation": 255.0},
        {"mean": [], "deviation": []},
        {"mean": [0.0], "deviation": [255.0, 255.0]},
        {"mean": [0.0], "deviation": [0.0]},
        {"mean": [0.0], "deviation": [-1.0]},
        {"mean": [float("nan")], "deviation": [1.0]},
        {"mean": [0.0], "deviation": [float("inf")]},
        {"mean": ["0"], "deviation": [255.0]},
        {"mean": [False], "deviation": [True]},
        {"mean": [0.0], "deviation": [255.0], "scale": 2},
    ],
    ids=str,
)
def test_damaged_numbers_are_refused(stored: object) -> None:
    with pytest.raises(ModelFileError) as caught:
        Normalization.from_dict(stored)
    assert str(caught.value) == (
        "the normalisation is damaged: expected a 'mean' and a 'deviation', each with "
        f"one number for each channel, every deviation above 0; got {stored!r}"
    )
