"""What ``cnncli compare`` refuses, and in which words."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.comparisons import CONFIG, make_run, predictions, share

if TYPE_CHECKING:
    from tests.conftest import Cli

HEAD = "index,true,predicted\n"
NOT_ONE = (
    "not a predictions.csv, which begins with the columns index, true, predicted, but"
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run that is as it should be."""
    return make_run(tmp_path / "a", share(80))


@pytest.mark.usefixtures("run")
def test_one_run_is_too_few(cli: Cli) -> None:
    result = cli("compare", "a", exit_code=2)
    assert result.stderr.endswith(
        "Error: a comparison needs two runs or more; name another\n"
    )


@pytest.mark.parametrize("again", ["a", "a/", "./a", "a/predictions.csv", "link"])
@pytest.mark.usefixtures("run")
def test_a_run_twice(again: str, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "link").symlink_to("a")
    result = cli("compare", "a", again, exit_code=2)
    assert result.stdout == ""
    assert result.stderr == f"{Path(again)}: the same run as a; leave one out\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", f": {NOT_ONE} empty"),
        ("epoch,loss\n1,0.5\n", f": {NOT_ONE} text"),
        ("index;true;predicted\n0;Bag;Bag\n", f": {NOT_ONE} text"),
        ("index,true,predicted,true\n", f": {NOT_ONE} text"),
        ('index,true,"predicted\n', f": {NOT_ONE} text"),
        (HEAD, ": no image in it"),
        (f"{HEAD}0,Bag\n", ":2: damaged: 2 values, expected 3"),
        (f"{HEAD}0,Bag,Bag\n1,Bag,Bag,0.5\n", ":3: damaged: 4 values, expected 3"),
        (f"{HEAD}x,Bag,Bag\n", ":2: damaged: the index 'x' is not a whole number"),
        (f"{HEAD}-1,Bag,Bag\n", ":2: damaged: the index '-1' is not a whole number"),
        (
            f"{HEAD}{'9' * 99},Bag,Bag\n",
            f":2: damaged: the index '{'9' * 56}... is not a whole number",
        ),
        (f"{HEAD}7,Bag,Bag\n07,Bag,Bag\n", ":3: damaged: the index 07 is there twice"),
        (f"{HEAD}0,Bag,\n", ":2: damaged: a class is missing"),
        (f'{HEAD}0,Bag,"Ba', ":2: damaged: unexpected end of data"),
        (
            f"{HEAD}0,{'B' * 200_000},Bag\n",
            ":2: damaged: field larger than field limit (131072)",
        ),
    ],
)
@pytest.mark.usefixtures("run")
def test_damaged_predictions(
    content: str, problem: str, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "b.csv").write_text(content)
    result = cli("compare", "a", "b.csv", exit_code=4)
    assert (result.stdout, result.stderr) == ("", f"error: b.csv{problem}\n")


@pytest.mark.usefixtures("run")
def test_bytes_that_are_no_text(tmp_path: Path, cli: Cli) -> None:
    lines = "".join(f"{index},Bag,Bag\n" for index in range(2_000))
    (tmp_path / "b.csv").write_bytes(f"{HEAD}{lines}".encode() + b"2000,Bag,\xff\n")
    result = cli("compare", "a", "b.csv", exit_code=4)
    assert result.stderr.startswith("error: b.csv:")
    assert result.stderr.endswith(": damaged: bytes that aren't UTF-8\n")


def test_everything_else_is_said_of_all(run: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "fifo")
    shutil.copytree(run, tmp_path / "lost")
    (tmp_path / "lost" / "predictions.csv").unlink()
    shutil.copytree(run, tmp_path / "begun")
    manifest = {"schema": "cnncli.run/1", "status": "stopped"}
    (tmp_path / "begun" / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "shoe.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n\xff")
    (tmp_path / "loop").symlink_to("loop")
    names = (
        "none",
        "loop",
        "a" * 300,
        "empty",
        "fifo",
        "lost",
        "begun",
        "shoe.png",
        "net.h5",
    )
    result = cli("compare", "a", *names, "a/config.yaml", exit_code=4)
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "error: none: no such file or folder",
        "error: loop: can't read it: Too many levels of symbolic links",
        f"error: {'a' * 300}: can't read it: File name too long",
        "error: empty: there is no predictions.csv in the folder",
        "error: fifo: not a regular file",
        "error: lost: there is no predictions.csv in the folder; cnncli evaluate "
        "writes one",
        "error: begun: the run isn't finished; go on with it with 'cnncli train "
        "begun/config.yaml --out begun --resume'",
        f"error: shoe.png: {NOT_ONE} a PNG picture",
        f"error: net.h5: {NOT_ONE} a model; give its run folder",
        f"error: a/config.yaml: {NOT_ONE} a config; its network is shown by 'cnncli "
        "summary a/config.yaml'",
    ]


@pytest.mark.usefixtures("run")
def test_other_images(tmp_path: Path, cli: Cli) -> None:
    lines = predictions(share(80)).splitlines(keepends=True)
    (tmp_path / "fewer.csv").write_text("".join(lines[:91]))
    more = "".join([*lines, "100,Bag,Bag,1,1\n"])
    (tmp_path / "more.csv").write_text(more)
    relabelled = [line.replace("Bag", "Dress") for line in lines]
    (tmp_path / "relabelled.csv").write_text("".join([*lines[:99], *relabelled[99:]]))
    files = ("fewer.csv", "more.csv", "relabelled.csv")
    result = cli("compare", "a", *files, exit_code=3)
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "error: fewer.csv: other images than a: 90 and 100, of which 90 are in both; "
        "only a has index 90",
        "error: more.csv: other images than a: 101 and 100, of which 100 are in both; "
        "only more.csv has index 100",
        "error: relabelled.csv: other images than a, or other labels: 1 of 100 are of "
        "another class, such as index 98: 'Dress' instead of 'Bag'",
    ]


@pytest.mark.usefixtures("run")
def test_other_images_with_the_same_labels(tmp_path: Path, cli: Cli) -> None:
    only_train = {"fingerprints": {"train": "1" * 64}}
    make_run(tmp_path / "b", share(80), data=only_train)
    make_run(tmp_path / "c", share(80), data={})
    result = cli("compare", "a", "b", "c", exit_code=3)
    assert result.stderr == (
        "error: b: other images than a, though with the same labels: their "
        "fingerprints in manifest.json differ\n"
    )
    cli("compare", "a", "c")


def test_test_images_that_the_seed_draws(tmp_path: Path, cli: Cli) -> None:
    text = CONFIG.replace("model:", "data: {{split: {{test: 100}}}}\nmodel:")
    for seed in (1, 2):
        make_run(tmp_path / f"{seed}", share(80, 100 + seed), seed=seed)
        config = text.format(seed=seed, epochs=2)
        (tmp_path / f"{seed}" / "config.yaml").write_text(config)
    assert cli("compare", "1", "2", exit_code=3).stderr == (
        "error: 2: other images than 1: 102 and 101, of which 101 are in both; only 2 "
        "has index 101; they are drawn by the seed: compare runs of the same one, or "
        "set test images apart\n"
    )
