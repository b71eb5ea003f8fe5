"""What is warned of about the images of a run, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cnncli.data.audit import suspicions
from cnncli.data.brightness import Brightness
from cnncli.data.dataset import Splits
from cnncli.data.images import Images
from cnncli.data.normalization import Normalization
from tests.builders import CONFIG, NAMES, dataset, idx

if TYPE_CHECKING:
    from tests.conftest import Cli

CLASSES = ("cat", "dog", "owl")


SORTED = "; the labels are sorted; data.split.method: stratified mixes them"


def images(first: int, labels: list[int], start: int = 0) -> Images:
    """Return images of one pixel each, with values from ``first`` on.

    They are a pool's, from the position ``start`` on.
    """
    count = len(labels)
    pixels = np.arange(first, first + count, dtype=np.uint8).reshape(count, 1, 1, 1)
    indices = np.arange(start, start + count)
    return Images(pixels, np.array(labels, np.uint8), indices)


def splits(train: Images, validation: Images, test: Images) -> Splits:
    scale = Normalization.divide_by(255, 1)
    return Splits(train, validation, test, scale, {}, "", Brightness.of(train.pixels))


@pytest.mark.parametrize(
    ("train", "validation", "test", "expected"),
    [
        (images(0, [0, 1, 2]), images(10, [2, 1, 0]), images(20, [0, 1, 2]), []),
        (images(0, [0, 1, 2]), images(0, []), images(20, [0, 1, 2]), []),
        (
            images(0, [0, 2, 0]),
            images(10, [2]),
            images(20, [0, 1, 2]),
            [
                "no training image is of the class 'dog'",
                "no validation image is of the class 'cat' or 'dog'",
            ],
        ),
        (
            images(0, [2, 2, 0]),
            images(10, [0, 1], start=3),
            images(20, [0, 1, 2]),
            [
                f"no training image is of the class 'dog'{SORTED}",
                f"no validation image is of the class 'owl'{SORTED}",
            ],
        ),
        (
            images(0, [0, 1, 2]),
            images(10, [2, 2], start=3),
            images(20, [0, 1, 2]),
            [f"no validation image is of the class 'cat' or 'dog'{SORTED}"],
        ),
        (
            images(0, [0, 0, 1]),
            images(10, [0, 0]),
            images(20, [0, 1, 2]),
            [
                f"no training image is of the class 'owl'{SORTED}",
                "no validation image is of the class 'dog' or 'owl'",
            ],
        ),
        (
            images(0, [0, 1, 2]),
            images(2, [2, 1, 0]),
            images(4, [2, 2]),
            [
                "no test image is of the class 'cat' or 'dog'",
                "equal images of different classes: 1, such as one of 'cat' and "
                "'owl'; 'cnncli data' lists them",
                "1 of the 2 test images are validation images too; the test result is "
                "not that of unseen images (test image 0 is 2)",
                "1 of the 3 validation images are training images too; the validation "
                "result is not that of unseen images (validation image 0 is 2)",
            ],
        ),
        (
            images(0, [0, 1, 2]),
            images(10, [2, 1, 0]),
            images(1, [0, 1, 1]),
            [
                "no test image is of the class 'owl'",
                "equal images of different classes: 2, such as one of 'dog' and "
                "'cat'; 'cnncli data' lists them",
                "2 of the 3 test images are training images too; the test result is "
                "not that of unseen images (test image 0 is 1, 1 is 2)",
            ],
        ),
    ],
    ids=[
        "nothing",
        "no validation images",
        "absent classes",
        "sorted",
        "sorted, all classes trained",
        "sorted, validated by test images",
        "validation seen",
        "training seen",
    ],
)
def test_suspicions(
    train: Images, validation: Images, test: Images, expected: list[str]
) -> None:
    assert list(suspicions(splits(train, validation, test), CLASSES)) == expected


def test_many_absent_classes_are_counted() -> None:
    names = tuple(f"c{n}" for n in range(20))
    every = images(0, list(range(20)))
    others = images(100, list(range(20)))
    found = suspicions(splits(images(50, [0, 1, 0]), every, others), names)
    assert list(found) == [
        "no training image is of the class 'c2' or 'c3' or 'c4' or 'c5' or 'c6' or 13 "
        "more"
    ]


def test_pixels_of_0_and_1_are_warned_of() -> None:
    first, second, third = (images(value, [0, 1]) for value in (0, 10, 20))
    assert list(suspicions(splits(first, second, third), CLASSES[:2])) == [
        "no pixel of a training image is above 1; values from 0, black, to 255, white, "
        "are expected"
    ]


def test_equal_images_of_one_class_are_no_conflict() -> None:
    once = pair()
    parts = (np.asarray(once.pixels), once.labels, once.indices)
    pixels, labels, indices = (np.concatenate([part, part]) for part in parts)
    twice = Images(pixels, labels, indices)
    every = splits(twice, pair(20), pair(30))
    assert list(suspicions(every, CLASSES[:2])) == []


def pair(first: int = 10) -> Images:
    return images(first, [0, 1])


def test_dry_run_warns(cli: Cli) -> None:
    Path("good.yaml").write_text(CONFIG)
    dataset("data")
    images_path, labels_path = (Path("data") / name for name in NAMES[:2])
    pixels = images_path.read_bytes()
    # Validation image 20 is made training image 0.
    images_path.write_bytes(pixels[: 16 + 320] + pixels[16:32] + pixels[16 + 336 :])
    labels_path.write_bytes(idx((30,), bytes([0, 1, 2] * 6 + [0, 1] + [1, 2] * 5)))
    result = cli("train", "good.yaml", "--dry-run")
    assert result.stderr == (
        "warning: no validation image is of the class 'cat'\n"
        "warning: equal images of different classes: 1, such as one of 'cat' and "
        "'dog'; 'cnncli data' lists them\n"
        "warning: 1 of the 10 validation images are training images too; the "
        "validation result is not that of unseen images (validation image 20 is 0)\n"
    )
    assert "12 test images; 3 warnings; would train into" in result.stdout
