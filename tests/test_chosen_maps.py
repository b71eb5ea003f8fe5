"""``feature-maps --layer --maps``: some of the layers, some of their maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli


def test_some_layers_and_maps(run: Path, cli: Cli) -> None:
    common = ("feature-maps", str(run))
    cli(*common, "-o", "all.png", "--arrays", "all.npz")
    options = ("--layer", "flip", "--layer", "small", "--maps", "0")
    done = cli(*common, *options, "-o", "some.png", "--arrays", "some.npz")
    assert done.stdout == "small  (1, 4, 4, 1)\nflip   (1, 4, 4, 1)\n"
    with np.load("all.npz") as file, np.load("some.npz") as other:
        every, some = dict(file), dict(other)
    assert set(some) == {"image", "small", "flip"}
    np.testing.assert_array_equal(some["small"], every["small"][..., [0]])
    assert Path("some.png").stat().st_size < Path("all.png").stat().st_size
    only = cli(*common, "--layer", "output", "-o", "output.png")
    assert only.stdout == "output  (1, 10)\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--maps 0", "--maps needs --layer, without --grad-cam or --occlusion"),
        (
            "--layer smal",
            "Invalid value for '--layer': 'smal' is no layer of the network; choose "
            "from small, flip, flatten, dropout, output; did you mean 'small'?",
        ),
        (
            "--layer output --maps 0",
            "Invalid value for '--maps': layer 'output' has no maps",
        ),
        (
            "--layer small --maps 0,1",
            "Invalid value for '--maps': layer 'small' has 1 map, 0",
        ),
        (
            "--layer small --maps 0,0",
            "Invalid value for '--maps': '0,0' has a number twice.",
        ),
        (
            "--layer small --maps -1",
            "Invalid value for '--maps': '-1' is not a whole number from 0, nor "
            "several with commas between them.",
        ),
        (
            "--layer small --layer flip --grad-cam",
            "--grad-cam is of one layer; name one with --layer",
        ),
        ("--layer small --occlusion", "--layer is not for --occlusion"),
    ],
)
def test_wrong_choices(run: Path, cli: Cli, options: str, message: str) -> None:
    result = cli("feature-maps", str(run), *options.split(), exit_code=2)
    assert result.stderr.splitlines()[-1] == f"Error: {message}"
