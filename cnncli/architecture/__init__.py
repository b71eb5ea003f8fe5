"""Shapes, parameters and multiply-accumulates of a network, in plain arithmetic."""

from cnncli.architecture.check import (
    INPUT_NAME,
    RESERVED,
    check_network,
    follow_network,
)
from cnncli.architecture.formulas import Shape
from cnncli.architecture.rows import LayerRow, trace_network

__all__ = [
    "INPUT_NAME",
    "RESERVED",
    "LayerRow",
    "Shape",
    "check_network",
    "follow_network",
    "trace_network",
]
