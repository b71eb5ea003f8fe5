"""Rows of cells as lines of aligned columns."""

from __future__ import annotations

from cnncli.system.columns import aligned


def test_numbers_end_and_words_begin_under_each_other() -> None:
    rows = [("class", "images"), ("ankle boot", "7"), ("", "1,000,000")]
    assert aligned(rows, right=[1]) == (
        "class          images\nankle boot          7\n            1,000,000"
    )


def test_no_line_ends_in_blanks() -> None:
    assert aligned([("a", "b"), ("ccc", "")]) == "a    b\nccc"


def test_no_rows() -> None:
    assert aligned([]) == ""
