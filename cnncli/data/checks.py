"""What a data set is looked through for."""

from __future__ import annotations

from typing import Literal, get_args

Check = Literal[
    "conflict", "leak", "duplicates", "near", "constant", "missing-class", "imbalance"
]
CHECKS: tuple[Check, ...] = get_args(Check)
MEANINGS: dict[Check, str] = {
    "conflict": "same image, different classes",
    "leak": "same image, different splits",
    "duplicates": "same image twice in a split",
    "near": "near duplicates",
    "constant": "images of a single value",
    "missing-class": "classes without images",
    "imbalance": "classes of very different sizes",
}
"""What each finds, in the order in which it is to be mended."""
