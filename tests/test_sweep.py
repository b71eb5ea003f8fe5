"""``cnncli sweep``: runs that differ in some keys, and the one that is chosen."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cnncli.config.document import read_document
from cnncli.config.overrides import override
from cnncli.data.formats.idx_folder import IdxFolder
from cnncli.errors import ConfigError
from cnncli.experiment.load import check_experiment
from cnncli.experiment.shipped import shipped_config
from cnncli.studies.axes import Grid, Range
from cnncli.studies.candidates import Candidates
from cnncli.studies.search import every_setting
from cnncli.studies.tpe import propose
from cnncli.system.children import Command, Ending
from tests.builders import CONFIG as DATA_CONFIG
from tests.builders import dataset
from tests.test_readme import documented_keys

if TYPE_CHECKING:
    from cnncli.data.source import DataInfo
    from tests.conftest import Cli

pytestmark = pytest.mark.usefixtures("undrawn")

RATE = "training.optimizer.Adam.learning_rate"
GRID = (f"--grid={RATE}=0.001,0.1", "--grid=training.batch_size=32")
SWEEP = ("sweep", "tiny.yaml", *GRID)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a place for a finished sweep of two runs, which is made once."""
    return tmp_path_factory.mktemp("sweep") / "tiny-sweep"


@pytest.fixture
def two(
    done: Path, in_this_process: list[list[str]], config: str, cli: Cli
) -> list[list[str]]:
    """Put a finished sweep over two learning rates into runs/tiny-sweep.

    Returns what runs from now on.
    """
    if not done.exists():
        cli(*SWEEP, "-q")
        shutil.copytree("runs/tiny-sweep", done)
    else:
        shutil.copytree(done, "runs/tiny-sweep")
    in_this_process.clear()
    return in_this_process


def metrics(run: str) -> dict[str, Any]:
    """Return what a run got right of the validation images."""
    path = Path("runs/tiny-sweep", run, "metrics.json")
    return dict(json.loads(path.read_text()))


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> dict[str, float | int]:
    """Have processes write a score instead of training; return scores to be set.

    Of each run by its folder's name: its accuracy on validation images, or the exit
    code of its process. Without one, the rate is its accuracy.
    """
    scores: dict[str, float | int] = {}

    def write(folder: Path, split: str, accuracy: float) -> None:
        folder.mkdir(exist_ok=True)
        low, high = accuracy - 0.01, accuracy + 0.01
        evaluation = {
            "split": split,
            "accuracy": accuracy,
            "accuracy_interval": [low, high],
            "loss": 1 - accuracy,
        }
        (folder / "metrics.json").write_text(json.dumps(evaluation))

    def run_none(commands: Iterable[Command], at_once: int) -> int:
        for command in commands:
            command.starts()
            if command.arguments[0] == "evaluate":
                write(Path(command.arguments[-1]) / "evaluation-test", "test", 0.5)
                command.ends(Ending(0, ""))
                continue
            folder = Path(command.arguments[-1]).parent
            rate = float(
                (folder / "config.yaml").read_text().split("ing_rate: ")[1].split()[0]
            )
            score = scores.get(folder.name, rate)
            manifest = json.loads((folder / "manifest.json").read_text())
            if isinstance(score, int):
                failed = {**manifest, "status": "failed", "reason": "diverged"}
                (folder / "manifest.json").write_text(json.dumps(failed))
                command.ends(Ending(score, "error: diverged\n"))
                continue
            write(folder, "validation", score)
            (folder / "model.h5").touch()
            finished = {
                **manifest,
                "status": "finished",
                "seconds": 1.5,
                "epoch_seconds": [0.5, 0.5],
                "kept_epoch": 2,
                "warnings": ["images look odd"],
            }
            (folder / "manifest.json").write_text(json.dumps(finished))
            command.ends(Ending(0, ""))
        return 0

    for module in ("training", "sweep"):
        monkeypatch.setattr(f"cnncli.studies.{module}.run_each", run_none)
    return scores


def test_runs_are_chosen_by_validation_images_and_one_is_tested(
    in_this_process: list[list[str]], config: str, cli: Cli
) -> None:
    result = cli(*SWEEP)
    accuracy = {run: metrics(run)["accuracy"] for run in ("001", "002")}
    assert accuracy["002"] > accuracy["001"]
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == [
        *("run", "learning_rate", "val_accuracy", "val_loss", "epochs", "seconds")
    ]
    assert rows[1][:3] == ["002", "0.1", f"{accuracy['002']:.4f}"]
    assert rows[2][:3] == ["001", "0.001", f"{accuracy['001']:.4f}"]
    test = json.loads(
        Path("runs/tiny-sweep/002/evaluation-test/metrics.json").read_text()
    )
    low, high = test["accuracy_interval"]
    assert result.stdout.splitlines()[3:] == [
        "",
        "chosen   runs/tiny-sweep/002, the highest val_accuracy of 2 runs",
        f"test     accuracy {test['accuracy']:.4f} (95 % interval {low:.4f} to "
        f"{high:.4f}), loss {test['loss']:.4f}",
        "report   runs/tiny-sweep/002/evaluation-test/report.html",
        "picture  runs/tiny-sweep/sweep.png",
        "The val_accuracy of the best of 2 runs is optimistic. Its figures on the test "
        "images,",
        "which were used once, for this run alone, are not.",
    ]
    assert [command[0] for command in in_this_process] == ["train"] * 2 + ["evaluate"]
    for run in ("001", "002"):
        assert metrics(run)["split"] == "validation"
    assert test["images"] == 10_000
    lines = result.stderr.splitlines()
    assert lines[0] == "1/2  learning_rate=0.001 batch_size=32  starts"
    assert lines[3].startswith(
        f"2/2  learning_rate=0.1 batch_size=32  val_accuracy {accuracy['002']:.4f}  "
    )


def test_a_member_is_the_run_that_train_makes(two: list[list[str]], cli: Cli) -> None:
    cli("train", "tiny.yaml", "-q", "--set", f"{RATE}=0.1", "--measure=validation")
    for name in ("model.h5", "history.csv", "metrics.json", "config.yaml"):
        of_member = Path("runs/tiny-sweep/002", name).read_bytes()
        assert of_member == Path("runs/tiny", name).read_bytes()
    with Path("runs/tiny/predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 100


def test_a_complete_sweep_is_shown_again_and_nothing_runs(
    two: list[list[str]], cli: Cli
) -> None:
    printed = json.loads(cli(*SWEEP, "--resume", "--json", "-q").stdout)
    assert two == []
    assert printed["schema"] == "cnncli.sweep/1"
    assert documented_keys("cnncli.sweep/1") == set(printed)
    assert printed["keys"] == [RATE]
    assert printed["chosen"] == "runs/tiny-sweep/002"
    assert printed["test"]["split"] == "test"
    assert [run["settings"][RATE] for run in printed["runs"]] == [0.001, 0.1]
    assert json.loads(Path("runs/tiny-sweep/result.json").read_text()) == printed
    cli(*SWEEP, "--resume", "-q")
    cli(*SWEEP, exit_code=5)


def test_what_is_missing_is_trained_to_the_same_bytes(
    two: list[list[str]], cli: Cli
) -> None:
    model = Path("runs/tiny-sweep/001/model.h5")
    before = model.read_bytes()
    shutil.rmtree(model.parent)
    cli(*SWEEP, "--resume", "-q")
    assert [command[0] for command in two] == ["train"]
    assert model.read_bytes() == before


def test_another_sweep_is_refused_with_all_that_differs(
    two: list[list[str]], cli: Cli
) -> None:
    other = ("sweep", "tiny.yaml", f"--grid={RATE}=0.001,0.2", "--metric=val_loss")
    result = cli(*other, "--resume", "--set=training.epochs=3", exit_code=2)
    assert result.stderr == (
        f"runs/tiny-sweep: vary.{RATE}.2: the study has 0.1, this is 0.2\n"
        'runs/tiny-sweep: vary.training.batch_size.0: the study has "--grid", this is '
        "none\n"
        "runs/tiny-sweep: vary.training.batch_size.1: the study has 32, this is none\n"
        'runs/tiny-sweep: metric: the study has "val_accuracy", this is "val_loss"\n'
        "runs/tiny-sweep: config.training.epochs: the study has 2, this is 3\n"
        "runs/tiny-sweep: can't go on with another study; choose another place with "
        "--out, or replace it with --overwrite\n"
    )
    seeds = ("train", "tiny.yaml", "--seeds=2", "--out=runs/tiny-sweep", "--resume")
    assert cli(*seeds, exit_code=2).stderr.startswith(
        'runs/tiny-sweep: kind: the study has "sweep", this is "seeds"\n'
    )


@pytest.mark.usefixtures("config")
def test_runs_that_fail_are_rows_and_the_others_go_on(
    scored: dict[str, float | int], cli: Cli
) -> None:
    scored["002"] = 6
    grid = f"--grid={RATE}=0.1,0.9,0.3"
    result = cli("sweep", "tiny.yaml", grid)
    assert result.stdout.splitlines()[:7] == [
        "run  learning_rate  val_accuracy  val_loss  epochs  seconds",
        "003            0.3        0.3000    0.7000       2      1.5",
        "001            0.1        0.1000    0.9000       2      1.5",
        "002            0.9        failed",
        "run 002 failed: diverged",
        "",
        "chosen   runs/tiny-sweep/003, the highest val_accuracy of 3 runs, 1 failed",
    ]
    assert result.stderr == (
        "1/3  learning_rate=0.1  starts\n"
        "warning: images look odd\n"
        "1/3  learning_rate=0.1  val_accuracy 0.1000  1.5 s\n"
        "2/3  learning_rate=0.9  starts\n"
        "2/3  learning_rate=0.9  failed: diverged\n"
        "3/3  learning_rate=0.3  starts\n"
        "3/3  learning_rate=0.3  val_accuracy 0.3000  1.5 s\n"
    )
    scored["002"] = 0.95
    again = cli("sweep", "tiny.yaml", grid, "--resume", "--json", "-q")
    printed = json.loads(again.stdout)
    assert printed["failed"] == 1, "a sweep that is over tries no failed run again"
    assert printed["runs"][1]["failure"] == "diverged"


@pytest.mark.usefixtures("config")
def test_all_runs_that_fail(scored: dict[str, float | int], cli: Cli) -> None:
    scored |= {"001": 6, "002": 6}
    result = cli(*SWEEP, "-q", exit_code=6)
    assert result.stderr == (
        "error: runs/tiny-sweep: all 2 runs failed; the first: diverged\n"
    )
    scored.clear()
    assert "chosen   runs/tiny-sweep/002" in cli(*SWEEP, "-q", "--resume").stdout


@pytest.mark.usefixtures("config", "scored")
@pytest.mark.parametrize(
    ("metric", "rates", "chosen"),
    [
        ("val_accuracy", "0.2,0.8,0.8000001,0.1", "003"),
        ("val_loss", "0.2,0.8,0.1", "002"),
    ],
)
def test_the_best_is_chosen(metric: str, rates: str, chosen: str, cli: Cli) -> None:
    options = (f"--grid={RATE}={rates}", f"--metric={metric}", "--json", "-q")
    printed = json.loads(cli("sweep", "tiny.yaml", *options).stdout)
    assert printed["chosen"] == f"runs/tiny-sweep/{chosen}"


@pytest.mark.usefixtures("config")
def test_of_equals_the_first_is_chosen(
    scored: dict[str, float | int], cli: Cli
) -> None:
    scored |= {"001": 0.1, "002": 0.7, "003": 0.7}
    result = cli("sweep", "tiny.yaml", f"--grid={RATE}=1,2,3", "-q")
    assert "chosen   runs/tiny-sweep/002" in result.stdout


@pytest.mark.usefixtures("config", "scored")
def test_some_drawn_at_random(cli: Cli) -> None:
    options = (
        f"--range={RATE}=1e-4..1e-1",
        "--grid=training.batch_size=8,16,32",
        "--random=12",
    )
    result = cli("sweep", "tiny.yaml", *options, "--json")
    assert result.stderr.startswith(
        f"note: {RATE}: drawn from 0.0001 to 0.1 on a log scale\n1/12  batch_size="
    )
    runs = json.loads(result.stdout)["runs"]
    rates = [run["settings"][RATE] for run in runs]
    assert len(set(rates)) == 12
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert {run["settings"]["training.batch_size"] for run in runs} == {8, 16, 32}
    assert len([*Path("runs/tiny-sweep").glob("0*")]) == 12
    other = cli("sweep", "tiny.yaml", *options, "--seed=1", "--out=o", "--json", "-q")
    assert [run["settings"][RATE] for run in json.loads(other.stdout)["runs"]] != rates


@pytest.mark.usefixtures("config", "scored")
def test_optuna_proposes_the_same_again(cli: Cli) -> None:
    options = (
        f"--range={RATE}=0.01..0.9",
        "--grid=training.loss=sparse_categorical_crossentropy,"
        "{categorical_crossentropy: {label_smoothing: 0.1}}",
        "--optuna=15",
    )
    first = cli("sweep", "tiny.yaml", *options, "--json", "-q")
    runs = json.loads(first.stdout)["runs"]
    rates = [run["settings"][RATE] for run in runs]
    assert len(set(rates)) == 15
    assert sum(rates[-5:]) / 5 > sum(rates[:5]) / 5, "it has learnt what is better"
    for left in (14, 8, 2, 0):
        shutil.copytree("runs/tiny-sweep", "again", dirs_exist_ok=True)
        study = json.loads(Path("again/study.json").read_text())
        study["members"] = study["members"][:left]
        del study["chosen"]
        Path("again/study.json").write_text(json.dumps(study))
        for member in range(left + 1, 16):
            shutil.rmtree(f"again/{member:03d}")
        resumed = cli(
            "sweep", "tiny.yaml", *options, "--json", "-q", "--out=again", "--resume"
        )
        again = json.loads(resumed.stdout)["runs"]
        assert [run["settings"] for run in again] == [run["settings"] for run in runs]
        shutil.rmtree("again")


def test_proposals_follow_from_what_was_tried_alone() -> None:
    axes = (Range("x", 0.001, 1.0), Range("n", 1, 64), Grid("k", (8, 16, (3, 3))))
    tried: list[tuple[dict[str, Any], float | None]] = []
    for number in range(30):
        (settings,) = propose(axes, tried, 1, seed=4)
        assert propose(axes, tried, 1, seed=4) == [settings]
        worth = abs(settings["x"] - 0.5) + (settings["k"] != 16)
        tried.append((settings, None if number % 7 == 3 else worth))
    late = [settings["k"] for settings, _ in tried[-10:]]
    assert late.count(16) > 5
    assert all(isinstance(settings["n"], int) for settings, _ in tried)
    assert propose(axes, tried, 1, seed=5) != propose(axes, tried, 1, seed=4)


def test_nothing_is_proposed_twice_as_long_as_there_is_more() -> None:
    axes = (Grid("a", (1, 2, 3, 4)), Grid("b", ("x", "y", "z")))
    tried: list[tuple[dict[str, Any], float | None]] = []
    for _ in range(6):
        tried += [(s, float(s["a"])) for s in propose(axes, tried, 2, seed=0)]
    assert len({f"{settings}" for settings, _ in tried}) == 12
    assert len(propose(axes, tried, 1, seed=0)) == 1


BAD = [
    (
        ["--grid=training.epochs=0,1,2", f"--grid={RATE}=-1,1"],
        [
            "--grid training.epochs=0: training.epochs: must be at least 1, got 0",
            f"--grid {RATE}=-1: {RATE}: must be greater than 0, got -1",
        ],
    ),
    (
        ["--grid=training.optimizer.SGD.momentum=0.5,0.9"],
        [
            "--grid training.optimizer.SGD.momentum=0.5: training.optimizer: must be "
            "one name with its arguments, got 'Adam' and 'SGD'; to replace 'Adam': "
            "--set 'training.optimizer={SGD: {momentum: 0.5}}'",
            "--grid training.optimizer.SGD.momentum=0.9: training.optimizer: must be "
            "one name with its arguments, got 'Adam' and 'SGD'; to replace 'Adam': "
            "--set 'training.optimizer={SGD: {momentum: 0.9}}'",
        ],
    ),
    (
        ["--grid=model.layers.9.Dense.units=1,2"],
        [
            "--grid model.layers.9.Dense.units=1: '9' is no position in a list of 5, "
            "counted from 0",
            "--grid model.layers.9.Dense.units=2: '9' is no position in a list of 5, "
            "counted from 0",
        ],
    ),
    (
        ["--range=training.batch_size=8.0..64", "--random=3"],
        None,
    ),
    (
        ["--range=training.batch_size=8..100000", "--optuna=3"],
        [
            "--range training.batch_size=100000: training.batch_size: must be at most "
            "65,536, got 100000"
        ],
    ),
    (
        ["--grid=training.batch_size=8,16", "--optuna=3"],
        [
            "--optuna 3: there are only 2 combinations; leave it out to train all of "
            "them"
        ],
    ),
    (
        ["--grid=seed=1,2", "--set=data.split.validation=0"],
        [
            "data.split.validation: is 0, so there are no images to measure the run "
            "on; give it some"
        ],
    ),
    (
        ["--grid=seed=1,2", "--set=data.split.validation_from=test"],
        [
            "data.split.validation_from: is test, so that a choice by validation "
            "images would be one by test images; set it to train"
        ],
    ),
    (
        ["--grid=seed=1,2", "--set=seed=x"],
        ["--set seed=x: seed: must be a whole number, got 'x'"],
    ),
]


@pytest.mark.parametrize(("options", "problems"), BAD)
def test_all_that_is_wrong_is_said_before_anything_is_trained(
    options: list[str], problems: list[str] | None, config: str, cli: Cli
) -> None:
    result = cli("sweep", config, *options, exit_code=2)
    if problems is None:
        assert "training.batch_size: must be a whole number, got " in result.stderr
    else:
        assert result.stderr.splitlines() == problems
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "there is nothing to vary; name it with --grid"),
        (["--range=seed=1..9"], "--range needs --random N or --optuna N"),
        (
            ["--grid=seed=1,2", "--random=1", "--optuna=1"],
            "--random and --optuna exclude each other",
        ),
        (
            ["--grid=seed=1,2", "--resume", "--overwrite"],
            "--resume and --overwrite exclude each other",
        ),
    ],
)
def test_options_that_do_not_go_together(
    options: list[str], message: str, config: str, cli: Cli
) -> None:
    result = cli("sweep", config, *options, exit_code=2)
    assert result.stderr.endswith(f"Error: {message}\n")


def test_without_optuna(config: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.studies.tpe.find_spec", lambda name: None)
    result = cli(*SWEEP, "--optuna=2", exit_code=2)
    assert result.stderr == ("--optuna: needs optuna: pip install 'cnncli[optuna]'\n")


@pytest.mark.usefixtures("scored")
def test_keys_that_decide_which_images_validate_are_warned_of(cli: Cli) -> None:
    dataset("data")
    Path("good.yaml").write_text(DATA_CONFIG.replace("method: head", "method: random"))
    grids = ("--grid=seed=1,2", "--grid=data.split.train=19,20", "-q")
    rate = "--set=training.optimizer={Adam: {learning_rate: 0.5}}"
    result = cli("sweep", "good.yaml", *grids, rate)
    same = "decides which images validate; runs that differ in it are measured on "
    assert result.stderr == (
        f"warning: data.split.train {same}different ones\nwarning: images look odd\n"
    )


def test_a_sweep_over_seeds_keeps_the_images_of_each_split(
    config: str, cli: Cli, in_this_process: list[list[str]]
) -> None:
    cli("sweep", config, "--grid=seed=7,8", "-q", "--set=training.epochs=1")
    digests = {
        json.loads(Path(f"runs/tiny-sweep/{n}/manifest.json").read_text())["data"][
            "split_digest"
        ]
        for n in ("001", "002")
    }
    assert len(digests) == 1


@pytest.mark.usefixtures("scored", "config")
@pytest.mark.parametrize(
    ("codes", "number", "exit_code", "said"),
    [
        ([], signal.SIGINT, 130, "stopped while the chosen run was tested; go on with"),
        ([3], 0, 3, "error: no images\nerror: runs/tiny-sweep/002: the chosen run can"),
    ],
)
def test_when_the_chosen_run_cannot_be_tested(
    codes: list[int],
    number: int,
    exit_code: int,
    said: str,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run_none(commands: Iterable[Command], at_once: int) -> int:
        for command, code in zip(commands, codes, strict=False):
            command.ends(Ending(code, "error: no images\n"))
        return number

    with monkeypatch.context() as patched:
        patched.setattr("cnncli.studies.sweep.run_each", run_none)
        result = cli(*SWEEP, "-q", exit_code=exit_code)
    command = f"cnncli sweep tiny.yaml --grid {RATE}=0.001,0.1 --grid training.batch_s"
    assert result.stderr.partition("warning: images look odd\n")[2].startswith(said)
    assert f"go on with: {command}" in result.stderr
    assert "chosen   runs/tiny-sweep/002" in cli(*SWEEP, "-q", "--resume").stdout


def test_a_data_set_is_described_once(monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[object] = []
    describe = IdxFolder.describe

    def counting(self: IdxFolder) -> DataInfo:
        described.append(self)
        return describe(self)

    monkeypatch.setattr(IdxFolder, "describe", counting)
    axes = (Grid("training.epochs", (1, 2, 3)), Grid("seed", (1, 2)))
    candidates = Candidates.of(None, [], axes)
    candidates.base()
    members = candidates.members(every_setting(axes), first=5)
    assert [member.name for member in members] == [f"{n:03d}" for n in range(5, 11)]
    assert len(described) == 1


def test_the_place_of_a_setting_is_its_option() -> None:
    path = shipped_config("fashion-mnist")
    base = override(read_document(path), ["training.optimizer=Adam"])
    varied = override(base, ["training.epochs=0"], "--grid")
    with pytest.raises(ConfigError) as caught:
        check_experiment(varied, path)
    assert str(caught.value) == (
        "--grid training.epochs=0: training.epochs: must be at least 1, got 0"
    )
