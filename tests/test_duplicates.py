"""Equal images: told by their bytes alone, in groups, by class and by part."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cnncli.data.duplicates import (
    copied_within,
    equal_groups,
    find_seen,
    image_digests,
    under_several,
)

IMAGES = np.arange(4 * 6, dtype=np.uint8).reshape(4, 2, 3, 1)


def test_images_that_others_have_are_found() -> None:
    almost = IMAGES[3] + np.uint8(1)
    others = np.stack([IMAGES[2], IMAGES[2], IMAGES[0], almost])
    first, second = image_digests(IMAGES), image_digests(others)
    assert find_seen(first, second) == [(2, 0), (2, 1), (0, 2)]
    assert find_seen(second, first) == [(2, 0), (0, 2)]
    assert find_seen(first[:2], first[2:]) == []


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_equal_images_are_grouped(which: list[int]) -> None:
    groups = [group.tolist() for group in equal_groups(image_digests(IMAGES[which]))]
    assert groups == sorted(groups)
    expected = [
        [position for position, other in enumerate(which) if other == image]
        for image in range(4)
    ]
    assert groups == sorted(group for group in expected if len(group) > 1)


def test_groups_under_several_classes_or_twice_in_a_part() -> None:
    groups = [np.array(group) for group in ([0, 3], [1, 4, 5])]
    first, second = groups
    assert under_several(groups, np.array([7, 8, 9, 7, 8, 9])) == [second]
    assert under_several(groups, np.array([1, 1, 1, 2, 1, 1])) == [first]
    assert copied_within(groups, np.array([0, 0, 0, 1, 1, 2])) == []
    assert copied_within(groups, np.array([0, 0, 0, 1, 1, 1])) == [second]
