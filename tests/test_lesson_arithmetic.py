"""Convolution by hand, held against Keras, SciPy and the course text's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import convolve2d, correlate2d

from cnncli.lesson.arithmetic import (
    average_pool,
    convolve,
    cross_correlate,
    flip,
    max_pool,
    pad,
    window_sum,
    windows,
)
from cnncli.lesson.sizes import num_parameters, output_size, same_padding

IMAGE = [[1.0, -1.0, 0.0], [2.0, 4.0, -1.0], [6.0, 0.0, 1.0]]
KERNEL = [[1.0, 0.0], [0.5, -1.0]]

SIZES = st.integers(1, 7)
SEEDS = st.integers(0, 10**6)


def test_the_numbers_of_the_text() -> None:
    assert cross_correlate(IMAGE, KERNEL).tolist() == [[-2, 2], [5, 3]]
    assert convolve(IMAGE, KERNEL).tolist() == [[2.5, 0], [0, -3.5]]
    assert window_sum([[1, -1], [2, 4]], KERNEL) == -2
    assert window_sum([[1, -1], [2, 4]], flip(KERNEL), bias=0.5) == 3


@given(
    image=st.tuples(SIZES, SIZES),
    kernel=st.tuples(SIZES, SIZES),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    seed=SEEDS,
)
def test_equal_to_scipy(
    image: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    padding: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=image), rng.normal(size=kernel)
    if any(f > n + 2 * padding for n, f in zip(image, kernel, strict=True)):
        with pytest.raises(ValueError, match="is larger than the image's"):
            cross_correlate(values, weights, stride, padding)
        return
    padded = np.pad(values, padding)
    for ours, theirs in ((cross_correlate, correlate2d), (convolve, convolve2d)):
        # SciPy swaps images and kernels where the kernel is larger in one direction.
        expected = theirs(padded, weights, "full")
        top, left = kernel[0] - 1, kernel[1] - 1
        expected = expected[top : padded.shape[0], left : padded.shape[1]]
        expected = expected[::stride, ::stride]
        result = ours(values, weights, stride, padding)
        np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)
        assert result.shape == tuple(
            output_size(n, f, padding=padding, stride=stride)
            for n, f in zip(image, kernel, strict=True)
        )


@given(
    shape=st.tuples(st.integers(3, 8), st.integers(3, 8), st.integers(1, 3)),
    size=st.sampled_from([1, 3]),
    filters=st.integers(1, 3),
    stride=st.integers(1, 2),
    same=st.booleans(),
    seed=SEEDS,
)
def test_equal_to_keras(
    shape: tuple[int, int, int],
    size: int,
    filters: int,
    stride: int,
    same: bool,
    seed: int,
) -> None:
    import keras

    rng = np.random.default_rng(seed)
    image = rng.normal(size=shape).astype(np.float32)
    kernels = rng.normal(size=(size, size, shape[2], filters)).astype(np.float32)
    bias = rng.normal(size=filters).astype(np.float32)
    same = same and stride == 1  # or Keras pads the sides differently
    expected = keras.ops.conv(
        image[None], kernels, stride, padding="same" if same else "valid"
    )
    result = cross_correlate(
        image, kernels, stride, same_padding(size) if same else 0, bias
    )
    np.testing.assert_allclose(result, expected[0] + bias, rtol=1e-4, atol=1e-4)
    assert num_parameters(size, size, shape[2], filters) == kernels.size + bias.size


@given(
    shape=st.tuples(st.integers(3, 9), st.integers(3, 9), st.integers(1, 3)),
    size=st.integers(1, 3),
    stride=st.none() | st.integers(1, 3),
    seed=SEEDS,
)
def test_pooling_is_equal_to_keras(
    shape: tuple[int, int, int], size: int, stride: int | None, seed: int
) -> None:
    import keras

    image = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    for ours, theirs in (
        (max_pool, keras.ops.max_pool),
        (average_pool, keras.ops.average_pool),
    ):
        expected = theirs(image[None], size, stride or size)[0]
        result = ours(image, size, stride)
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(ours(image[..., 0], size, stride), result[..., 0])


def test_windows() -> None:
    found = windows(IMAGE, (2, 2))
    assert found.shape == (2, 2, 2, 2)
    assert found[1, 0].tolist() == [[2, 4], [6, 0]]
    assert windows(np.zeros((5, 6, 3)), (2, 3), 2).shape == (2, 2, 3, 2, 3)


def test_padding() -> None:
    assert pad([[5]], 1).tolist() == [[0, 0, 0], [0, 5, 0], [0, 0, 0]]
    assert pad(np.ones((2, 3, 4)), 2).shape == (6, 7, 4)
    assert [same_padding(f) for f in (1, 3, 5)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: same_padding(2),
            "a kernel of even size 2 can't keep the size: p = (2 - 1) / 2 is no whole "
            "number; take an odd size, or say how many zeros",
        ),
        (
            lambda: cross_correlate(IMAGE, np.ones((4, 4))),
            "a size of 4 is larger than the image's 3",
        ),
        (
            lambda: output_size(3, 8, padding=2),
            "a size of 8 is larger than the image's 3 with padding 2",
        ),
        (
            lambda: cross_correlate(IMAGE, KERNEL, stride=0),
            "stride must be at least 1, got 0",
        ),
        (
            lambda: cross_correlate(IMAGE, KERNEL, padding=-1),
            "padding must be at least 0, got -1",
        ),
        (
            lambda: output_size(3, 1, padding=-1),
            "padding must be at least 0, got -1",
        ),
        (
            lambda: max_pool(IMAGE, 0),
            "a kernel or window must have a size of at least 1, got 0",
        ),
        (
            lambda: max_pool([1, 2], 1),
            "an image is (height, width) or (height, width, channels), this one is "
            "(2,)",
        ),
        (
            lambda: cross_correlate(np.ones((3, 3, 2)), np.ones((2, 2, 3, 1))),
            "an image of 2 channels and kernels for 3",
        ),
        (
            lambda: cross_correlate(np.ones((3, 3, 2)), KERNEL),
            "an image of shape (3, 3, 2) and a kernel of shape (2, 2)",
        ),
        (
            lambda: window_sum([[1]], KERNEL),
            "a window of shape (1, 1) and a kernel of shape (2, 2)",
        ),
    ],
)
def test_what_does_not_fit(call: Any, message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 -- compared whole
        call()
    assert str(raised.value) == message
