"""How light images are, and which of them seem to be inverted."""

from __future__ import annotations

import numpy as np
import pytest

from cnncli.data.brightness import Brightness


def test_brightness_by_hand() -> None:
    images = np.zeros((2, 3, 4, 1), np.uint8)
    images[0, 1, 1] = 240
    images[1, 0, 0] = 20
    assert Brightness.of(images) == Brightness(border=1.0, mean=260 / 24)


def test_colour_counts_by_its_mean() -> None:
    images = np.full((1, 3, 3, 3), (10, 20, 60), np.uint8)
    assert Brightness.of(images) == Brightness(border=30.0, mean=30.0)


def test_the_smallest_images_are_all_border() -> None:
    images = np.full((1, 1, 2, 1), 7, np.uint8)
    assert Brightness.of(images) == Brightness(border=7.0, mean=7.0)


def test_fashion_mnist_and_its_inverse() -> None:
    from cnncli.config.schema import FashionMNIST
    from cnncli.data.sources import find_source

    source = find_source(FashionMNIST())
    trained = Brightness.of(source.load("train").pixels)
    assert (trained.border, trained.mean) == pytest.approx((12.396, 72.937), abs=1e-3)
    images = np.asarray(source.load("test").pixels)
    assert trained.inverted(images).sum() == 0
    assert trained.inverted(255 - images).sum() == 9997


@pytest.mark.parametrize(
    ("trained", "border", "rest", "inverted"),
    [
        (Brightness(5, 60), 250, 20, True),
        (Brightness(250, 195), 5, 230, True),
        (Brightness(5, 60), 250, 254, False),  # lighter inside than at its border
        (Brightness(5, 60), 120, 20, False),  # a grey ground is neither
        (Brightness(120, 130), 250, 20, False),  # photos have no ground
    ],
)
def test_inverted(trained: Brightness, border: int, rest: int, inverted: bool) -> None:
    image = np.full((1, 8, 8, 1), border, np.uint8)
    image[:, 1:-1, 1:-1] = rest
    assert trained.inverted(image).tolist() == [inverted]
