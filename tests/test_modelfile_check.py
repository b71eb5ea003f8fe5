"""What is given for a model file and is none, and what reading one may not do."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.model_edits import COMMANDS

if TYPE_CHECKING:
    from tests.conftest import Cli


def write_zip(content: bytes) -> None:
    """Make a .keras archive that would write outside the folder it is unpacked in."""
    with zipfile.ZipFile("model.h5", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("../marker", "")


def write_pickle(content: bytes) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return open, ("marker", "w")

    Path("model.h5").write_bytes(pickle.dumps(Evil()))


def write_objects(content: bytes) -> None:
    np.savez("x.npz", weights=np.array([{}], dtype=object))
    Path("x.npz").rename("model.h5")


def end_at(share: float) -> Callable[[bytes], None]:
    return lambda content: write(content[: int(len(content) * share)])


def write(content: bytes) -> None:
    Path("model.h5").write_bytes(content)


FILES: dict[str, tuple[Callable[[bytes], None], str]] = {
    "missing": (lambda _: None, "no such model file or run folder"),
    "empty": (lambda _: write(b""), "empty, not an HDF5 file, as model.h5 is"),
    "text": (lambda _: write(b"model"), "not an HDF5 file, as model.h5 is"),
    "GHSA-hqp4-2352-xf5r: a .keras archive": (
        write_zip,
        "a zip archive that holds no Keras model",
    ),
    "a pickle": (
        write_pickle,
        "a pickle, which could run code, not an HDF5 file, as model.h5 is",
    ),
    "an .npz of objects": (
        write_objects,
        "a zip archive that holds no Keras model",
    ),
    "cut to 99.9 %": (end_at(0.999), "truncated: has {size:,} of {whole:,} bytes"),
    "cut to 50 %": (end_at(0.5), "truncated: has {size:,} of {whole:,} bytes"),
    "cut to 20 bytes": (
        lambda c: write(c[:20]),
        "truncated: has only 20 bytes",
    ),
    "longer": (
        lambda content: write(content + bytes(2**26)),
        "damaged, or not written by cnncli: has {size:,} bytes and a header of version "
        "0 that says {whole:,}",
    ),
    "of another version of HDF5": (
        lambda content: write(content[:8] + b"\x03" + content[9:]),
        "damaged, or not written by cnncli: has {size:,} bytes and a header of version "
        "3 that says {whole:,}",
    ),
    "a FIFO": (
        lambda _: os.mkfifo("model.h5"),
        "a model must be a regular file or a run folder",
    ),
    "a device": (
        lambda _: Path("model.h5").symlink_to("/dev/zero"),
        "a model must be a regular file or a run folder",
    ),
    "a link to itself": (
        lambda _: Path("model.h5").symlink_to("model.h5"),
        "can't read it: Too many levels of symbolic links",
    ),
    "a folder": (
        lambda _: Path("model.h5").mkdir(),
        "not a run folder; it has no model.h5",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_models(model: Path, cli: Cli, name: str) -> None:
    make, message = FILES[name]
    content = model.read_bytes()
    model.unlink()
    make(content)
    size = model.stat().st_size if model.is_file() else 0
    expected = message.format(size=size, whole=len(content))
    for command in COMMANDS[:2]:
        result = cli(*command, exit_code=4)
        assert result.stderr == f"error: model.h5: {expected}\n"
    assert not Path("marker").exists()


@pytest.mark.parametrize(
    "name", ["cut to 50 %", "cut to 20 bytes", "a pickle", "an .npz of objects"]
)
@pytest.mark.parametrize("command", COMMANDS[2:])
def test_summary_and_plot_model_tell_a_broken_model_from_a_config(
    model: Path, cli: Cli, name: str, command: tuple[str, ...]
) -> None:
    make, message = FILES[name]
    content = model.read_bytes()
    make(content)
    expected = message.format(size=model.stat().st_size, whole=len(content))
    result = cli(*command, exit_code=4)
    assert result.stderr == f"error: model.h5: {expected}\n"


@pytest.mark.parametrize("url", ["hf:/x/y", "http:/x/y.h5", "gs:/x/y", "s3:/x"])
@pytest.mark.parametrize("command", COMMANDS)
def test_only_local_files_are_read(
    cli: Cli, url: str, command: tuple[str, ...]
) -> None:
    name, _, *options = command
    result = cli(name, url.replace(":/", "://"), *options, exit_code=4)
    assert result.stderr == (
        f"error: {url}: only local files are read; download the model and give its "
        "path\n"
    )


def test_a_path_too_long_for_the_system(cli: Cli) -> None:
    name = "x" * 300
    result = cli("evaluate", name, exit_code=4)
    assert result.stderr == f"error: {name}: can't read it: File name too long\n"


def test_a_hostile_manifest_is_no_obstacle(model: Path, cli: Cli) -> None:
    os.mkfifo("manifest.json")
    cli("summary", "model.h5")
    Path("manifest.json").unlink()
    Path("manifest.json").write_text("[" * 10**5)
    cli("summary", "model.h5")


def test_modules_in_the_working_folder_are_not_run(model: Path, cli: Cli) -> None:
    for name in ("h5py", "json", "numpy", "sitecustomize"):
        Path(f"{name}.py").write_text("open('marker', 'w')")
    cli("summary", "model.h5")
    assert not Path("marker").exists()


@pytest.mark.parametrize(
    ("seconds", "script", "message"),
    [
        (9, "os.kill(os.getpid(), 11)", "reading it was ended by SIGSEGV"),
        (1, "time.sleep(9)", "reading it takes more than 1 seconds"),
        (
            9,
            "resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass",
            "reading it was ended by SIGXCPU",
        ),
    ],
)
def test_a_reader_that_dies_or_hangs(
    model: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    script: str,
    message: str,
) -> None:
    from cnncli.modelfile import check

    monkeypatch.setattr(check, "_READER", f"import os, resource, time\n{script}\n")
    monkeypatch.setattr(check, "_SECONDS", seconds)
    result = cli("evaluate", "model.h5", exit_code=4)
    assert result.stderr == f"error: model.h5: damaged file: {message}\n"
