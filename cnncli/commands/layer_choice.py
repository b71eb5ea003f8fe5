"""The layers and maps that ``cnncli feature-maps --layer --maps`` names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cnncli.commands.heat_map_options import listed

if TYPE_CHECKING:
    from cnncli.architecture import LayerRow
    from cnncli.modelfile.file import ModelFile

    Maps = tuple[int, ...] | None


def choose_layers(
    saved: ModelFile, names: Sequence[str], maps: Maps
) -> tuple[LayerRow, ...]:
    """Return the layers to draw, in the network's order; all if none is named."""
    chosen = _named(_rows(saved), names, "layer")
    for row in chosen if maps else ():
        _check_maps(row, row.output_shape[2] if len(row.output_shape) == 3 else 0, maps)
    return chosen


def choose_convolutions(
    saved: ModelFile, names: Sequence[str], maps: Maps
) -> tuple[LayerRow, ...]:
    """Return the convolutions to draw, in the network's order; all if none is named."""
    from cnncli.config.layers import CONVOLUTIONS

    layers = saved.config.model.layers
    rows = [row for row in _rows(saved) if isinstance(layers[row.index], CONVOLUTIONS)]
    if not rows:
        raise click.UsageError("--kernels needs a convolution, the network has none")
    chosen = _named(rows, names, "convolution")
    for row in chosen:
        _check_maps(row, row.output_shape[2], maps)
    return chosen


def choose_one(saved: ModelFile, names: Sequence[str], maps: Maps) -> LayerRow:
    """Return the layer whose maps, or units, are to be excited."""
    from cnncli.architecture.receptive import last_maps

    if len(names) > 1:
        raise click.UsageError("--strongest is of one layer; name one with --layer")
    if names:
        (row,) = _named(_rows(saved), names, "layer")
    else:
        found = last_maps(saved.config.model.layers, saved.image_shape)
        row = found or _rows(saved)[-1]
    _check_maps(row, row.output_shape[-1], maps)
    return row


def _rows(saved: ModelFile) -> tuple[LayerRow, ...]:
    from cnncli.architecture import trace_network

    return trace_network(saved.config.model.layers, saved.image_shape)


def _named(
    rows: Sequence[LayerRow], names: Sequence[str], what: str
) -> tuple[LayerRow, ...]:
    """Return the layers of some names; all if there are none."""
    from cnncli.config.problems import quoted, suggestion

    known = [row.name for row in rows]
    for name in names:
        if name not in known:
            raise click.BadParameter(
                f"{quoted(name)} is no {what} of the network; choose from "
                f"{listed(known)}{suggestion(name, known)}",
                param_hint="'--layer'",
            )
    return tuple(row for row in rows if row.name in (names or known))


def _check_maps(row: LayerRow, count: int, maps: Maps) -> None:
    if max(maps or (-1,)) >= count:
        several = f"{count} maps, 0 to {count - 1}"
        has = {0: "no maps", 1: "1 map, 0"}.get(count, several)
        raise click.BadParameter(f"layer {row.name!r} has {has}", param_hint="'--maps'")
