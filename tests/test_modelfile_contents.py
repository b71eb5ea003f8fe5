"""What HDF5 can hold and a model never does: refused before it is read."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from tests.model_edits import (
    BIAS,
    KERNEL,
    WRONG,
    Edit,
    attribute,
    check_refused,
    replaced,
)
from tests.processes import run_code

if TYPE_CHECKING:
    from tests.conftest import Cli


def external(file: Any, place: str) -> None:
    Path("secret").write_bytes(bytes(40))
    file.create_dataset(place, (10,), "<f4", external=[("secret", 0, 40)])


def external_link(file: Any, place: str) -> None:
    with h5py.File("other.h5", "w") as other:
        other["x"] = np.zeros(10, "<f4")
    file[place] = h5py.ExternalLink("other.h5", "x")


def virtual(file: Any, place: str) -> None:
    with h5py.File("other.h5", "w") as other:
        other["x"] = np.zeros(10, "<f4")
    layout = h5py.VirtualLayout((10,), "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (10,))
    file.create_virtual_dataset(place, layout)


def declared(*shape: int) -> Callable[[Any, str], None]:
    """Return how to make a dataset of which not a byte is written."""

    def make(file: Any, place: str) -> None:
        file.create_dataset(place, shape, "<f4")

    return make


def bombs(file: Any) -> None:
    for number in range(20):
        declared(150_000_000)(file, f"model_weights/output/bomb{number:02}")


def huge_names(file: Any) -> None:
    names = file["model_weights"].attrs
    names["layer_names"] = [*names["layer_names"], "x" * (2**23 + 1)]


STORED: dict[str, tuple[Edit, str]] = {
    "CVE-2026-0897: 600 MB declared": (
        replaced(KERNEL, declared(150_000_000)),
        f"{KERNEL!r} of shape (150000000,) has 600,000,000 bytes, of which the file "
        "holds 0",
    ),
    "CVE-2026-0897: 20 times 600 MB declared": (
        bombs,
        "'model_weights/output/bomb00' of shape (150000000,) has 600,000,000 bytes, "
        "of which the file holds 0",
    ),
    "a shape whose size in bytes is 0 in 64 bits": (
        replaced(KERNEL, declared(2**31, 2**31, 4)),
        f"{KERNEL!r} of shape (2147483648, 2147483648, 4) has "
        "73,786,976,294,838,206,464 bytes, of which the file holds 0",
    ),
    "zeros, compressed": (
        replaced(
            KERNEL,
            lambda file, place: file.create_dataset(
                place, data=np.zeros(10**6, "<f4"), compression="gzip"
            ),
        ),
        f"{KERNEL!r} is stored in chunks, as if it were compressed",
    ),
    "CVE-2026-1669: external storage": (
        replaced(BIAS, external),
        f"the numbers of {BIAS!r} are stored in another file",
    ),
    "CVE-2026-1669: an external link": (
        replaced(BIAS, external_link),
        f"{BIAS!r} is a link to another place; links are refused",
    ),
    "CVE-2026-1669: an external link to optimizer weights": (
        lambda file: external_link(file, "optimizer_weights"),
        "holds 'optimizer_weights', which is no part of a model",
    ),
    "a soft link": (
        replaced(
            BIAS,
            lambda file, place: file.__setitem__(place, h5py.SoftLink("/no/where")),
        ),
        f"{BIAS!r} is a link to another place; links are refused",
    ),
    "CVE-2026-12480: a virtual dataset": (
        replaced(BIAS, virtual),
        f"the numbers of {BIAS!r} are stored in another file",
    ),
    "a group that is in itself": (
        lambda file: file["model_weights"].__setitem__("again", file["model_weights"]),
        "holds far more objects than a model has",
    ),
    "objects without end": (
        lambda file: [file.create_group(f"model_weights/{n}") for n in range(4001)],
        "holds far more objects than a model has",
    ),
    "attributes without end": (
        lambda file: [file.attrs.__setitem__(f"a{n}", "") for n in range(33)],
        "has 45 attributes, far more than a model",
    ),
    "a named type": (
        lambda file: file.__setitem__("model_weights/type", np.dtype("<f4")),
        "'model_weights/type' is neither a group nor numbers",
    ),
    "references to objects": (
        replaced(
            BIAS,
            lambda file, place: file.create_dataset(place, (10,), h5py.ref_dtype),
        ),
        f"{BIAS!r} isn't an array of 32-bit floats",
    ),
    "numbers in 64 bits": (
        replaced(BIAS, lambda file, place: file.__setitem__(place, np.zeros(10))),
        f"{BIAS!r} isn't an array of 32-bit floats",
    ),
    "no numbers at all": (
        replaced(BIAS, lambda file, place: file.__setitem__(place, h5py.Empty("<f4"))),
        f"{BIAS!r} isn't an array of 32-bit floats",
    ),
    "an attribute that is no text": (
        lambda file: file.attrs.__setitem__("cnncli_version", file.ref),
        "the attribute 'cnncli_version' isn't text",
    ),
    "an attribute that is a list": (
        lambda file: file.attrs.__setitem__("cnncli_version", ["0.1.0"]),
        "the attribute 'cnncli_version' has the shape (1,)",
    ),
    "64 MB of padding in an attribute": (
        attribute("model_config", " " * 2**26),
        "the attribute 'model_config' has 67,108,864 characters, more than the "
        "8,388,608 allowed",
    ),
    "a layer name of 8 MB": (
        huge_names,
        "the attribute 'layer_names' has 8,388,609 characters, more than the "
        "8,388,608 allowed",
    ),
    "64 MB of weights that belong to no layer": (
        lambda file: file.__setitem__("model_weights/more", np.zeros(2**24, "<f4")),
        "holds 'model_weights/more', which belongs to no layer",
    ),
    "the same weights a hundred times": (
        lambda file: [
            file.__setitem__(f"model_weights/{n}", file[KERNEL]) for n in range(100)
        ],
        "declares more weights than the file has bytes",
    ),
    "two layers of one name": (
        lambda file: file["model_weights"].attrs.__setitem__(
            "layer_names", ["small", "small"]
        ),
        "has two layers 'small'",
    ),
    "a weight that is missing": (
        lambda file: file.__delitem__(BIAS),
        f"the weights {BIAS!r} are missing",
    ),
    "no weights": (
        lambda file: file.__delitem__("model_weights"),
        "holds no weights",
    ),
    "a file of plain Keras": (
        lambda file: file.attrs.__delitem__("cnncli_config"),
        "a Keras model without cnncli's account of its classes and pixels; take it "
        "over with: cnncli adopt model.h5 --classes NAME,NAME,... --divide-by NUMBER "
        "-o adopted.h5",
    ),
    "another version, another form": (
        lambda file: [
            file.attrs.__setitem__("cnncli_version", "9.0\x1b[31m"),
            file.attrs.__delitem__("cnncli_class_names"),
        ],
        "written by cnncli 9.0\\x1b[31m, not 0.1.0: 'cnncli_class_names' is missing",
    ),
}


@pytest.mark.parametrize("name", STORED)
def test_what_a_model_never_holds_is_refused(model: Path, cli: Cli, name: str) -> None:
    check_refused(model, cli, *STORED[name])


def test_room_for_anything_else_is_refused(model: Path, cli: Cli) -> None:
    content = model.read_bytes()
    size = len(content) + 2**25
    end = size.to_bytes(8, "little")
    model.write_bytes(content[:40] + end + content[48:] + bytes(2**25))
    result = cli("evaluate", "model.h5", exit_code=4)
    assert result.stderr == (
        f"error: model.h5: {WRONG}it has {size:,} bytes, more than the 16,777,896 that "
        "its network needs\n"
    )


def test_a_lock_keeps_nobody_from_reading(model: Path, cli: Cli) -> None:
    """HDF5 would wait for no lock, but fail: one of another program, or on NFS."""
    with model.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        cli("summary", "model.h5")
        with pytest.raises(BlockingIOError):
            h5py.File(model, locking=True)


def test_the_reader_may_not_take_all_memory(model: Path) -> None:
    """What HDF5 allocates is limited, whatever a file makes it believe."""
    program = (
        "from cnncli.modelfile.reader import _limit_process\n"
        "_limit_process(1000)\n"
        "bytes(2**30)\n"
    )
    done = run_code(program, exit_code=1)
    assert done.stderr.splitlines()[-1] == "MemoryError"
