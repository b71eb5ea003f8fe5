"""Edits of a model file, as someone makes them who knows its digest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from cnncli.modelfile.contents import DIGEST, RefusedError
from cnncli.modelfile.hdf5 import read_contents

if TYPE_CHECKING:
    from tests.conftest import Cli

COMMANDS = (
    ("evaluate", "model.h5"),
    ("feature-maps", "model.h5"),
    ("summary", "model.h5"),
    ("plot-model", "model.h5", "-o", "model.dot"),
)
WRONG = "what is stored in it is wrong: "
KERNEL = "model_weights/output/tiny/output/kernel"
BIAS = "model_weights/output/tiny/output/bias"

Edit = Callable[[Any], object]


@contextmanager
def edited(path: Path) -> Iterator[Any]:
    """Open a model file to change it, as someone does who knows the digest."""
    with h5py.File(path, "r+") as file:
        yield file
    try:
        digest = read_contents(path).digest()
    except (RefusedError, OSError):
        return
    with h5py.File(path, "r+") as file:
        file.attrs[DIGEST] = digest


def attribute(name: str, value: Any) -> Edit:
    """Return an edit that sets an attribute."""
    text = value if isinstance(value, str) else json.dumps(value)
    return lambda file: file.attrs.__setitem__(name, text)


def config(*path: str | int, value: Any) -> Edit:
    """Return an edit that sets a value in the config."""
    return inside("cnncli_config", path, value)


def keras_config(*path: str | int, value: Any) -> Edit:
    """Return an edit that sets a value in Keras's description of the model."""
    return inside("model_config", path, value)


def inside(name: str, path: tuple[str | int, ...], value: Any) -> Edit:
    """Return an edit that sets a value in the JSON of an attribute."""

    def edit(file: Any) -> None:
        whole = json.loads(file.attrs[name])
        part = whole
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value
        file.attrs[name] = json.dumps(whole)

    return edit


def replaced(place: str, make: Callable[[Any, str], None]) -> Edit:
    """Return an edit that puts something else where a weight was."""

    def edit(file: Any) -> None:
        del file[place]
        make(file, place)

    return edit


def check_refused(
    model: Path,
    cli: Cli,
    edit: Edit,
    message: str,
    *,
    commands: Iterable[tuple[str, ...]] = COMMANDS[:1],
) -> None:
    """Check that commands refuse an edited model file, and with what words."""
    with edited(model) as file:
        edit(file)
    for command in commands:
        result = cli(*command, exit_code=4)
        assert result.stderr == f"error: model.h5: {message}\n"
