"""``cnncli train --seeds``: one config over several seeds."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.config.schema import Split
from cnncli.data.plan import drawn_splits
from cnncli.studies.spread import spread_of
from cnncli.system.children import Command, Ending
from tests.test_readme import documented_keys

if TYPE_CHECKING:
    from tests.conftest import Cli

pytestmark = pytest.mark.usefixtures("undrawn")

TWO = ("train", "tiny.yaml", "--seeds", "2")
SAME = ("model.h5", "history.csv", "metrics.json", "predictions.csv")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a place for a finished study of two seeds, which is made once."""
    return tmp_path_factory.mktemp("study") / "tiny-seeds"


@pytest.fixture
def two(
    study: Path, in_this_process: list[list[str]], config: str, cli: Cli
) -> list[list[str]]:
    """Put a finished study of the seeds 5 and 6 into runs/tiny-seeds.

    Returns what runs from now on.
    """
    if not study.exists():
        cli(*TWO, "-q")
        shutil.copytree("runs/tiny-seeds", study)
    else:
        shutil.copytree(study, "runs/tiny-seeds")
    in_this_process.clear()
    return in_this_process


def metrics(seed: int) -> dict[str, float]:
    """Return what the run of a seed got right."""
    path = Path(f"runs/tiny-seeds/seed-{seed}/metrics.json")
    return dict(json.loads(path.read_text()))


def answering(monkeypatch: pytest.MonkeyPatch, *codes: int, signalled: int = 0) -> None:
    """Have each process end with a code, instead of starting it."""

    def run_none(commands: Iterable[Command], at_once: int) -> int:
        for command, code in zip(commands, codes, strict=False):
            command.starts()
            command.ends(Ending(code, f"error: ended with {code}\n"))
        return signalled

    monkeypatch.setattr("cnncli.studies.training.run_each", run_none)


@pytest.mark.usefixtures("in_this_process")
def test_each_seed_is_a_run_of_its_own(finished: Path, config: str, cli: Cli) -> None:
    result = cli("train", config, "--seeds", "3")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["seed", "accuracy", "loss", "epochs", "seconds", "folder"]
    for row, seed in zip(rows[1:4], (5, 6, 7), strict=True):
        measured = metrics(seed)
        numbers = [f"{measured['accuracy']:.4f}", f"{measured['loss']:.4f}", "2"]
        assert row[:4] == [str(seed), *numbers]
        assert row[5] == f"runs/tiny-seeds/seed-{seed}"
    for name in ("history.csv", "metrics.json", "predictions.csv"):
        first = Path("runs/tiny-seeds/seed-5", name).read_bytes()
        assert first == (finished / name).read_bytes()
        assert Path("runs/tiny-seeds/seed-6", name).read_bytes() != first
    assert result.stdout.splitlines()[-3:] == [
        "The intervals are about what a seed decides: initial weights, order of "
        "images, dropout.",
        "All runs had the same images, and were measured on the same test images;",
        "of others they say nothing.",
    ]
    lines = result.stderr.splitlines()
    assert lines[0] == "1/3  seed=5  starts"
    assert lines[1].startswith(f"1/3  seed=5  accuracy {metrics(5)['accuracy']:.4f}  ")
    assert len(lines) == 6


def test_json_has_every_run_and_their_spread(two: list[list[str]], cli: Cli) -> None:
    result = cli(*TWO, "--json", "-q", "--resume")
    printed = json.loads(result.stdout)
    accuracies = [metrics(seed)["accuracy"] for seed in (5, 6)]
    assert printed["schema"] == "cnncli.seeds/1"
    assert documented_keys("cnncli.seeds/1") == set(printed)
    assert [run["accuracy"] for run in printed["runs"]] == accuracies
    assert [run["settings"] for run in printed["runs"]] == [{"seed": 5}, {"seed": 6}]
    assert printed["accuracy"]["mean"] == pytest.approx(sum(accuracies) / 2)
    assert printed["failed"] == 0
    assert json.loads(Path("runs/tiny-seeds/result.json").read_text()) == printed
    assert result.stderr == ""
    assert two == []


def test_what_is_missing_is_trained_and_nothing_else(
    two: list[list[str]], cli: Cli
) -> None:
    before = cli(*TWO, "--resume", "-q").stdout
    model = Path("runs/tiny-seeds/seed-6/model.h5")
    content = model.read_bytes()
    shutil.rmtree(model.parent)
    result = cli(*TWO, "--resume")
    assert [run[2] for run in two] == ["--out=runs/tiny-seeds/seed-6"]
    assert result.stderr.splitlines()[1] == "2/2  seed=6  starts"
    assert model.read_bytes() == content
    without_seconds = [line.split()[:4] for line in before.splitlines()]
    assert [line.split()[:4] for line in result.stdout.splitlines()] == without_seconds


def test_more_seeds_can_follow(two: list[list[str]], cli: Cli) -> None:
    result = cli("train", "tiny.yaml", "--seeds=3", "--resume", "-q")
    assert [run[2] for run in two] == ["--out=runs/tiny-seeds/seed-7"]
    assert "over 3 seeds" in result.stdout
    fewer = cli(*TWO, "--resume", exit_code=2)
    assert fewer.stderr.startswith(
        "runs/tiny-seeds: seeds: the study has 3, this is 2\n"
    )


def test_another_study_is_refused_with_all_that_differs(
    two: list[list[str]], cli: Cli
) -> None:
    other = ("--set=training.epochs=3", "--set=seed=1", "--measure=validation")
    result = cli(*TWO, "--resume", *other, exit_code=2)
    assert result.stderr == (
        'runs/tiny-seeds: measured: the study has "test", this is "validation"\n'
        "runs/tiny-seeds: config.seed: the study has 5, this is 1\n"
        "runs/tiny-seeds: config.training.epochs: the study has 2, this is 3\n"
        "runs/tiny-seeds: can't go on with another study; choose another place with "
        "--out, or replace it with --overwrite\n"
    )
    assert two == []


@pytest.mark.slow
def test_a_study_that_is_replaced_leaves_nothing_of_its_own(
    two: list[list[str]], cli: Cli
) -> None:
    Path("runs/tiny-seeds/notes.txt").write_text("mine")
    cli(*TWO, "-q", "--overwrite", "--set=seed=8")
    left = {path.name for path in Path("runs/tiny-seeds").iterdir()}
    own = {".lock", "study.json", "result.json", "notes.txt"}
    assert left == own | {"seed-8", "seed-9"}


def test_a_study_is_not_replaced_unasked(two: list[list[str]], cli: Cli) -> None:
    result = cli(*TWO, exit_code=5)
    assert result.stderr == (
        "error: runs/tiny-seeds: holds a study; go on with it, or see its result "
        "again, with --resume; choose another place with --out, or replace it with "
        "--overwrite\n"
    )


def test_a_study_in_which_nothing_is_trained_yet_is_begun_anew(
    config: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, signalled=signal.SIGTERM)
    for settings in ("seed=1", "seed=2"):
        cli(*TWO, "--set", settings, exit_code=143)
    plan = json.loads(Path("runs/tiny-seeds/study.json").read_text())["plan"]
    assert plan["config"]["seed"] == 2


@pytest.mark.parametrize(
    ("place", "options", "exit_code", "message"),
    [
        ("none", ["--resume"], 4, "nothing to resume: there is no study; start it "),
        ("mine", [], 5, "the folder holds other files and no study; choose another "),
        ("tiny.yaml", [], 5, "not a folder; choose another place with --out\n"),
        ("run", ["--overwrite"], 5, "the folder holds other files and no study; "),
    ],
)
def test_places_that_are_refused(
    place: str,
    options: list[str],
    exit_code: int,
    message: str,
    run: Path,
    config: str,
    cli: Cli,
) -> None:
    Path("mine").mkdir()
    Path("mine/seed-5").write_text("precious")
    result = cli(*TWO, "--out", place, *options, exit_code=exit_code)
    assert result.stderr.startswith(f"error: {place}: {message}")


@pytest.mark.usefixtures("in_this_process")
def test_all_seeds_that_fail(config: str, cli: Cli) -> None:
    steep = "--set=training.optimizer={SGD: {learning_rate: 1e38}}"
    result = cli(*TWO, steep, exit_code=6)
    reason = (
        "epoch 1: training diverged: {} is inf; the learning rate, 1e+38, is probably "
        "too high: try a tenth of it"
    )
    assert result.stderr == (
        "1/2  seed=5  starts\n"
        f"1/2  seed=5  failed: {reason.format('loss')}\n"
        "2/2  seed=6  starts\n"
        f"2/2  seed=6  failed: {reason.format('loss')}\n"
        "error: runs/tiny-seeds: all 2 runs failed; the first: "
        f"{reason.format('loss')}\n"
    )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (6, "no reason is known"),
        (-9, "the process was ended by signal 9 (Killed)"),
    ],
)
def test_one_seed_that_fails_is_counted(
    code: int,
    reason: str,
    two: list[list[str]],
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.rmtree("runs/tiny-seeds/seed-6")
    answering(monkeypatch, code)
    result = cli(*TWO, "--resume", "-q")
    lines = result.stdout.splitlines()
    assert lines[2].split() == ["6", "failed", "runs/tiny-seeds/seed-6"]
    assert lines[3:5] == [f"seed 6 failed: {reason}", ""]
    mean = f"{metrics(5)['accuracy']:.4f}"
    assert lines[5:7] == [
        "over 1 seed, 1 failed    mean  standard deviation  95 % interval of the mean",
        f"accuracy               {mean}",
    ]
    printed = json.loads(cli(*TWO, "--resume", "-q", "--json").stdout)
    assert printed["runs"][1]["failure"] == reason
    assert printed["accuracy"]["interval"] is None


def test_an_error_that_others_would_meet_ends_the_study(
    config: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, 5)
    setting = "training.optimizer={Adam: {learning_rate: 0.02}}"
    result = cli(*TWO, "-q", "--set", setting, exit_code=5)
    assert result.stderr == (
        "error: ended with 5\n"
        "error: runs/tiny-seeds/seed-5: the run can't go on, nor can the study; when "
        "that is mended, go on with: cnncli train tiny.yaml --set "
        f"'{setting}' --seeds 2 --out runs/tiny-seeds --resume\n"
    )


@pytest.mark.parametrize(
    ("codes", "number", "exit_code", "where"),
    [
        ([-15], signal.SIGINT, 130, ""),
        ([143], 0, 143, " in runs/tiny-seeds/seed-5"),
    ],
)
def test_a_study_that_is_stopped_says_how_to_go_on(
    codes: list[int],
    number: int,
    exit_code: int,
    where: str,
    config: str,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, *codes, signalled=number)
    result = cli(*TWO, "--jobs=1", "--smoke", "-q", exit_code=exit_code)
    place = "runs/tiny-smoke-seeds"
    where = where.replace("tiny", "tiny-smoke")
    assert result.stderr == (
        f"stopped{where}; runs finished: 0; go on with: cnncli train tiny.yaml "
        f"--seeds 2 --jobs 1 --smoke --out {place} --resume\n"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--jobs=2"], "--jobs needs --seeds"),
        (["--seeds=2", "--dry-run"], "--seeds and --dry-run exclude each other"),
        (["--seeds=2", "--profile"], "--seeds and --profile exclude each other"),
        (["--seeds=2", "--resume", "--overwrite"], "--resume and --overwrite exclude "),
        (["--seeds=1"], "Invalid value for '--seeds': 1 is not in the range 2<=x<="),
    ],
)
def test_options_that_do_not_go_together(
    options: list[str], message: str, config: str, cli: Cli
) -> None:
    result = cli("train", config, *options, exit_code=2)
    assert message in result.stderr


def test_seeds_beyond_the_largest(config: str, cli: Cli) -> None:
    result = cli(*TWO, "--set", "seed=4294967295", exit_code=2)
    assert result.stderr == (
        "seed: 2 seeds from 4,294,967,295 on go beyond 4,294,967,295, the largest; "
        "lower it\n"
    )


def test_runs_of_several_seeds_can_be_compared(two: list[list[str]], cli: Cli) -> None:
    found = json.loads(
        cli(
            "compare",
            "runs/tiny-seeds/seed-5",
            "runs/tiny-seeds/seed-6",
            "--json",
        ).stdout
    )
    (config,) = found["configs"]
    assert len(config["runs"]) == 2
    splits = [
        json.loads(Path(f"runs/tiny-seeds/seed-{n}/manifest.json").read_text())["data"]
        for n in (5, 6)
    ]
    assert splits[0]["split_digest"] == splits[1]["split_digest"]


def test_another_run_in_a_members_place_is_refused(
    two: list[list[str]], cli: Cli
) -> None:
    config = Path("runs/tiny-seeds/seed-6/config.yaml")
    config.write_text(config.read_text().replace("rate: 0.1", "rate: 0.2"))
    assert cli(*TWO, "--resume", exit_code=5).stderr.splitlines()[-1] == (
        "error: runs/tiny-seeds/seed-6: not the run that the study made there: "
        "config.yaml is another one; move the folder elsewhere, and the study makes "
        "its own"
    )


def test_runs_of_other_images_are_not_put_together(
    two: list[list[str]], cli: Cli
) -> None:
    file = Path("runs/tiny-seeds/seed-5/manifest.json")
    manifest = json.loads(file.read_text())
    manifest["data"]["fingerprints"]["train"] = "0"
    file.write_text(json.dumps(manifest))
    assert cli(*TWO, "--resume", exit_code=3).stderr.splitlines()[-1] == (
        "error: runs/tiny-seeds: seed-6 had other images than seed-5, so that they "
        "can't be compared; put the first images back and move that folder elsewhere, "
        "or start the study anew with --overwrite"
    )


def test_a_damaged_plan_can_be_replaced(two: list[list[str]], cli: Cli) -> None:
    Path("runs/tiny-seeds/study.json").write_text("{")
    for option in ("--resume", "-q"):
        assert cli(*TWO, option, exit_code=4).stderr.splitlines()[-1] == (
            "error: runs/tiny-seeds/study.json: damaged; start the study anew with "
            "--overwrite"
        )
    cli(*TWO, "--overwrite", "-q")


@pytest.mark.parametrize(
    ("split", "drawn"),
    [
        (Split(method="random", validation_from="train", test=0.2, seed=1), ()),
        (Split(method="head", validation_from="train", test=None), ()),
        (
            Split(method="random", validation_from="train", test=None),
            ("train", "validation"),
        ),
        (Split(method="random", validation_from="test", test=None), ("train",)),
        (
            Split(method="head", validation_from="test", test=0.2),
            ("train", "validation", "test"),
        ),
    ],
)
def test_which_images_a_seed_decides(split: Split, drawn: tuple[str, ...]) -> None:
    assert drawn_splits(split) == drawn


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_interval_is_that_of_student(values: list[float]) -> None:
    import numpy as np
    from scipy import stats

    spread = spread_of(values, most=1.0)
    error = np.std(values, ddof=1) / len(values) ** 0.5
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), 1.0)
    half = error * (high - low) / 2
    mean = np.mean(values)
    assert spread.mean == pytest.approx(mean)
    assert spread.interval == pytest.approx(
        (max(0, mean - half), min(1, mean + half)), abs=1e-12
    )
