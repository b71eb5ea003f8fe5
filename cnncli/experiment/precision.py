"""The precision of an experiment: picked for the processor, or warned of."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cnncli.system.processor import computes, is_x86_64, processor_name

if TYPE_CHECKING:
    from cnncli.config.schema import Precision


def resolved_precision(precision: Precision) -> Precision:
    """Return the precision that "auto" means here; any other is its own meaning.

    That is bfloat16 where it was measured to be faster than float32: on x86-64
    processors that compute in it, with oneDNN.
    """
    if precision != "auto":
        return precision
    has_onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0"
    pays = is_x86_64() and has_onednn and computes("mixed_bfloat16")
    return "mixed_bfloat16" if pays else "float32"


def precision_warning(precision: Precision) -> str | None:
    """Return what to say of a precision that makes training slower here."""
    if computes(precision):
        return None
    return (
        f"training.precision: this processor, {processor_name()}, can't compute in "
        f"{precision.removeprefix('mixed_')} and emulates it, several times slower "
        "than float32; use float32, or auto"
    )
