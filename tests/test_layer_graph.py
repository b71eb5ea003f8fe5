from __future__ import annotations

import io
import sys
import sysconfig
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from PIL import Image

from cnncli.architecture import LayerRow
from cnncli.errors import OutputError
from cnncli.plots import layer_graph
from cnncli.plots.layer_graph import draw_layer_graph
from tests.processes import run_code

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

INPUT_SHAPE = (28, 28, 1)
DOCUMENTED = (
    LayerRow(0, "cv1", "Conv2D", INPUT_SHAPE, (28, 28, 16), 160, 160, "", 0),
    LayerRow(1, "cv2", "Conv2D", (28, 28, 16), (28, 28, 16), 2320, 2320, "", 0),
    LayerRow(2, "pool", "MaxPooling2D", (28, 28, 16), (14, 14, 16), 0, 0, "", 0),
    LayerRow(3, "flatten", "Flatten", (14, 14, 16), (3136,), 0, 0, "", 0),
    LayerRow(4, "dense", "Dense", (3136,), (64,), 200_768, 200_768, "", 0),
    LayerRow(5, "output", "Dense", (64,), (10,), 650, 650, "", 0),
)


def draw(format: str, title: str = "a title") -> bytes:  # noqa: A002
    """Draw the documented network."""
    picture, failures = draw_layer_graph(
        DOCUMENTED, INPUT_SHAPE, title=title, format=format
    )
    assert failures == []
    return picture


def svg_texts(svg: bytes) -> list[str]:
    """Return the texts of an SVG file from top to bottom, without blank ones."""
    elements = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    texts = [(element.text or "").replace("\xa0", " ").strip() for element in elements]
    return [text for text in texts if text]


@pytest.fixture
def no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave nothing on the PATH but an empty folder, and return it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install_dot(folder: Path, *script: str) -> Path:
    """Put a program ``dot`` in a folder."""
    program = folder / "dot"
    program.write_text("\n".join(("#!/bin/sh", *script, "")))
    program.chmod(0o755)
    return program


def test_svg_tells_names_types_shapes_and_parameters() -> None:
    assert svg_texts(draw("svg")) == [
        "a title",
        *("input", "(None, 28, 28, 1)", "InputLayer"),
        *("cv1", "(None, 28, 28, 16)", "Conv2D", "160 parameters"),
        *("cv2", "(None, 28, 28, 16)", "Conv2D", "2,320 parameters"),
        *("pool", "(None, 14, 14, 16)", "MaxPooling2D"),
        *("flatten", "(None, 3136)", "Flatten"),
        *("dense", "(None, 64)", "Dense", "200,768 parameters"),
        *("output", "(None, 10)", "Dense", "650 parameters"),
    ]


def test_png_is_fit_for_a_slide() -> None:
    image = Image.open(io.BytesIO(draw("png")))
    assert image.format == "PNG"
    assert image.width > 800
    assert image.height > 1000


def test_dot_is_a_chain_and_needs_no_program(no_programs: Path) -> None:
    text = draw("dot").decode()
    edges = [line.strip() for line in text.splitlines() if "->" in line]
    assert edges == [f"layer{n} -> layer{n + 1};" for n in range(6)]


@pytest.mark.parametrize("format", ["dot", "svg", "png"])
def test_same_network_same_bytes(format: str) -> None:  # noqa: A002
    assert draw(format) == draw(format)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ('a "b" <i>&amp;</i>', 'a "b" <i>&amp;</i>'),
        (r"back\slash \N \G \n \\", r"back\slash \N \G \n \\"),
        ("line\nbreak\x1b", r"line\nbreak\x1b"),
        ("{a|b} [c]; -> }", "{a|b} [c]; -> }"),
        ("größe 猫", "größe 猫"),
        ("strict", "strict"),
    ],
)
def test_names_and_titles_come_out_literally(text: str, shown: str) -> None:
    row = LayerRow(0, text, text, INPUT_SHAPE, INPUT_SHAPE, 0, 0, "", 0)
    svg, _ = draw_layer_graph([row], INPUT_SHAPE, title=text, format="svg")
    assert svg_texts(svg) == [
        shown,
        *("input", "(None, 28, 28, 1)", "InputLayer"),
        *(shown, "(None, 28, 28, 1)", shown),
    ]


def test_long_titles_are_wrapped_and_long_names_shortened() -> None:
    rows = [
        LayerRow(n, f"{n}{'n' * 59}", "Conv2D", INPUT_SHAPE, INPUT_SHAPE, 0, 0, "", 0)
        for n in range(2)
    ]
    svg, _ = draw_layer_graph(rows, INPUT_SHAPE, title="word " * 20, format="svg")
    texts = svg_texts(svg)
    assert texts[:3] == [
        "word word word word word word word",
        "word word word word word word word",
        "word word word word word word",
    ]
    assert texts[6] == f"0{'n' * 28}…{'n' * 14}"
    assert texts[9] == f"1{'n' * 28}…{'n' * 14}"


def test_no_title_and_no_layers() -> None:
    svg, _ = draw_layer_graph([], INPUT_SHAPE, title="", format="svg")
    assert svg_texts(svg) == ["input", "(None, 28, 28, 1)", "InputLayer"]


def test_graphviz_own_dot_is_preferred(no_programs: Path) -> None:
    install_dot(no_programs, 'echo "$@"')
    assert draw("pdf") == b"-q -Tpdf\n"
    assert draw("png") == b"-q -Tpng -Gdpi=170\n"


def test_png_and_svg_need_no_dot_but_pdf_does(no_programs: Path) -> None:
    assert draw("png").startswith(b"\x89PNG")
    assert b"<svg" in draw("svg")
    with pytest.raises(OutputError) as caught:
        draw("pdf")
    assert str(caught.value) == (
        "PDF needs Graphviz's own 'dot', which is not on the PATH; install it "
        "(apt-get install graphviz), or choose PNG or SVG, which work without"
    )


def test_neither_program_is_there(
    no_programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(no_programs / "python"))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(no_programs))
    with pytest.raises(OutputError) as caught:
        draw("svg")
    assert str(caught.value) == (
        "SVG needs Graphviz: neither 'dot' nor 'graphviz-pure' was found; install one "
        "(pip install graphviz-pure), or choose DOT"
    )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            ("echo 'Error: no fonts' >&2", "echo 'and more' >&2", "exit 1"),
            "can't draw the layers: Error: no fonts",
        ),
        (("echo half a picture", "exit 3"), "can't draw the layers: exit status 3"),
        (("exit 0",), "can't draw the layers: exit status 0"),
    ],
)
def test_where_dot_fails_the_other_program_draws(
    no_programs: Path, script: tuple[str, ...], reason: str
) -> None:
    program = install_dot(no_programs, *script)
    picture, failures = draw_layer_graph([], INPUT_SHAPE, title="", format="svg")
    assert b"<svg" in picture
    assert failures == [f"{program}: {reason}"]


def test_a_program_that_never_ends(
    no_programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer_graph, "_SECONDS", 1)
    program = install_dot(no_programs, "exec /bin/sleep 60")
    with pytest.raises(OutputError) as caught:
        draw("pdf")
    assert str(caught.value) == f"{program}: can't draw the layers in 1 seconds"


def test_a_program_that_fails_where_there_is_no_other(no_programs: Path) -> None:
    program = install_dot(no_programs, "exit 3")
    with pytest.raises(OutputError) as caught:
        draw("pdf")
    assert caught.value.problems == (
        f"{program}: can't draw the layers: exit status 3",
    )


def test_a_program_that_cannot_be_run(no_programs: Path) -> None:
    program = install_dot(no_programs)
    program.write_text("#!/no/such/shell\n")
    with pytest.raises(OutputError) as caught:
        draw("pdf")
    assert str(caught.value) == f"{program}: can't be run: No such file or directory"


def test_plot_model_says_which_program_failed(no_programs: Path, cli: Cli) -> None:
    program = install_dot(no_programs, "exit 3")
    result = cli("plot-model", "-o", "a.svg")
    assert result.stdout == "a.svg\n"
    assert result.stderr == (
        f"note: {program}: can't draw the layers: exit status 3; drawn without it\n"
    )


def test_drawing_needs_neither_keras_nor_matplotlib() -> None:
    code = (
        "import sys, cnncli.plots.layer_graph\n"
        "heavy = {'keras', 'matplotlib', 'numpy', 'pandas', 'tensorflow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run_code(code).stdout == "[]\n"
