"""The picture of a network's layers, drawn by Graphviz."""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pydot

from cnncli.architecture import LayerRow
from cnncli.errors import OutputError
from cnncli.plots.palette import (
    BLUE,
    GREEN,
    GREY,
    INK,
    MUTED,
    PAPER,
    VERMILLION,
    label,
    labels,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnncli.architecture import Shape

_FONT = "Helvetica"
_DPI = 170
_SECONDS = 30
_LONGEST = 44
"""Most characters of a text in a box or of a line of the title."""
_COLOURS = (
    ("Conv", BLUE, "#E5F1F7"),
    ("Pooling", GREEN, "#E5F5F1"),
    ("Dense", VERMILLION, "#FBEFE5"),
)
"""A part of the layer type's name, the colours of the box's edge and of its inside."""


def draw_layer_graph(
    rows: Sequence[LayerRow],
    input_shape: Shape,
    *,
    title: str,
    format: str,  # noqa: A002 -- the word Graphviz, pydot and Matplotlib use
) -> tuple[bytes, list[str]]:
    """Draw the chain of layers, each with its type, output shape and parameters.

    Args:
        rows: The layers in the network's order.
        input_shape: Shape of one image, (height, width, channels).
        title: The text above the graph; any text.
        format: "png", "svg", "pdf" or "dot".

    Returns:
        The file's content, and what is to be said of a program that failed before
        another one drew it.

    Raises:
        OutputError: No program draws this format here, or all of them fail.
    """
    graph: str = _graph(rows, input_shape, title).to_string()
    if format == "dot":
        return graph.encode(), []
    failures: list[str] = []
    for program in _programs(format):
        try:
            return _run(program, format, graph), failures
        except OutputError as error:
            failures.append(str(error))
    raise OutputError(*failures)


def _run(program: str, format: str, graph: str) -> bytes:  # noqa: A002 -- as above
    """Have a program draw a graph.

    Raises:
        OutputError: The program can't be run, fails, or takes too long.
    """
    command = [program, "-q", f"-T{format}"]
    if format == "png":
        command.append(f"-Gdpi={_DPI}")
    try:
        drawn = subprocess.run(
            command,
            input=graph.encode(),
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except OSError as error:
        raise OutputError(f"{program}: can't be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise OutputError(
            f"{program}: can't draw the layers in {_SECONDS} seconds"
        ) from error
    if drawn.returncode or not drawn.stdout:
        lines = drawn.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[0] if lines else f"exit status {drawn.returncode}"
        raise OutputError(f"{program}: can't draw the layers: {reason}")
    return drawn.stdout


def _programs(format: str) -> list[str]:  # noqa: A002 -- as above
    """Return the paths of the programs that draw ``format``, Graphviz's own first.

    Raises:
        OutputError: There is none.
    """
    dot, pure = shutil.which("dot"), None
    if format != "pdf":
        scripts = [str(Path(sys.executable).parent), sysconfig.get_path("scripts")]
        places = os.pathsep.join([*scripts, os.environ.get("PATH", os.defpath)])
        pure = shutil.which("graphviz-pure", path=places)
    if programs := [program for program in (dot, pure) if program]:
        return programs
    if format == "pdf":
        raise OutputError(
            "PDF needs Graphviz's own 'dot', which is not on the PATH; install it "
            "(apt-get install graphviz), or choose PNG or SVG, which work without"
        )
    raise OutputError(
        f"{format.upper()} needs Graphviz: neither 'dot' nor 'graphviz-pure' was "
        "found; install one (pip install graphviz-pure), or choose DOT"
    )


def _graph(rows: Sequence[LayerRow], input_shape: Shape, title: str) -> pydot.Dot:
    """Return the graph of the layers, from the input at the top to the output."""
    end = '<BR ALIGN="LEFT"/>'
    heading = "".join(
        f'<FONT POINT-SIZE="17"><B>{_escaped(line)}</B></FONT>{end}'
        for line in wrapped(title, 42)
    )
    graph = pydot.Dot(
        "layers",
        label=f"<{heading} {end}>",
        labelloc="t",
        labeljust="l",
        fontname=_FONT,
        fontcolor=INK,
        bgcolor=PAPER,
        pad=0.2,
        nodesep=0,
        ranksep=0.3,
    )
    graph.set_node_defaults(
        shape="box",
        style="rounded,filled",
        penwidth=2,
        fontname=_FONT,
        fontcolor=INK,
        margin="0.16,0.08",
    )
    graph.set_edge_defaults(color=MUTED, penwidth=1.5, arrowsize=0.8)
    source = LayerRow(-1, "input", "InputLayer", input_shape, input_shape, 0, 0, "", 0)
    names = labels([row.name for row in rows], _LONGEST)
    for position, (name, row) in enumerate(
        zip(("input", *names), (source, *rows), strict=True)
    ):
        graph.add_node(_node(f"layer{position}", name, row))
        if position:
            graph.add_edge(pydot.Edge(f"layer{position - 1}", f"layer{position}"))
    return graph


def _node(key: str, name: str, row: LayerRow) -> pydot.Node:
    """Return one box: what the layer is at the left, what it gives at the right.

    Args:
        key: The box's own name in the graph.
        name: The layer's name as it is to be written.
        row: The layer.
    """
    edge, inside = next(
        ((edge, inside) for part, edge, inside in _COLOURS if part in row.type),
        (GREY, "#F5F5F5"),
    )
    # A B element would set the name higher than the shape beside it.
    bold = f'<FONT FACE="{_FONT}-Bold">'
    small = f'<FONT POINT-SIZE="12" COLOR="{MUTED}">'
    # Graphviz refuses a FONT element without text.
    parameters = f"{row.parameters:,} parameters" if row.parameters else " "
    # Boxes are as wide as each other, unless a text needs more.
    table = (
        '<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="2"><TR>'
        f'<TD ALIGN="LEFT" WIDTH="170">{bold}{_escaped(name)}</FONT></TD>'
        f'<TD ALIGN="RIGHT" WIDTH="170">{(None, *row.output_shape)}</TD>'
        f'</TR><TR><TD ALIGN="LEFT">{small}{_escaped(row.type)}</FONT></TD>'
        f'<TD ALIGN="RIGHT">{small}{parameters}</FONT></TD></TR></TABLE>'
    )
    return pydot.Node(key, label=f"<{table}>", color=edge, fillcolor=inside)


def _escaped(text: str) -> str:
    r"""Return text, shortened if long, as it must stand in an HTML-like label.

    Graphviz reads ``\N`` and the like even there; a doubled backslash is drawn as one.
    """
    return html.escape(label(text, _LONGEST)).replace("\\", "\\\\")
