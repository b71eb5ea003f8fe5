"""``cnncli compare``: what it prints of runs, and what it refuses."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cnncli.comparison.verdicts import p_text
from tests.comparisons import DATA, make_run, predictions, share
from tests.test_imports import run as run_program

if TYPE_CHECKING:
    from tests.conftest import Cli

DOCUMENTED = Path(__file__).parents[1] / "docs" / "json.md"
ONE_SEED = """\
one seed each: the test tells trained networks apart, not configs; how far another seed
would move the accuracy isn't known until there are several:
"""


def pair(both: int, first: int, second: int, neither: int) -> tuple[list[bool], ...]:
    """Return what two networks get right, given how many images each way."""
    ways = ((True, True), (True, False), (False, True), (False, False))
    images = [
        way
        for way, number in zip(ways, (both, first, second, neither), strict=True)
        for _ in range(number)
    ]
    random.Random(1).shuffle(images)
    return [a for a, _ in images], [b for _, b in images]


def compared(cli: Cli, *arguments: str) -> dict[str, Any]:
    """Return what ``compare --json`` says."""
    found: dict[str, Any] = json.loads(cli("compare", *arguments, "--json").stdout)
    return found


def test_two_runs(tmp_path: Path, cli: Cli) -> None:
    first, second = pair(1, 1, 7, 12)
    make_run(tmp_path / "old", first)
    make_run(tmp_path / "new", second, epochs=3, threads={"intra_op": 4})
    result = cli("compare", "old", "new")
    assert result.stderr == ""
    assert result.stdout == (
        "config  run  seed  accuracy     95 % interval    loss  epochs  kept  seconds  "
        "parameters  model bytes\n"
        "A       old     1    0.0952  0.0265 to 0.2891  0.5000       2     1     "
        "12.3       7,850        1,234\n"
        "B       new     1    0.3810  0.2075 to 0.5912  0.5000       2     1     "
        "12.3       7,850        1,234\n"
        "\n"
        "config key       A  B\n"
        "training.epochs  2  3\n"
        "\n"
        "also different    old  new\n"
        "threads.intra_op  2    4\n"
        "\n"
        "McNemar's test on the same 21 test images: how many both get right, only the "
        "first, only the second, neither\n"
        "first run  second run  both  first  second  neither  difference     "
        "95 % interval  exact p   mid-p\n"
        "old        new            1      1       7       12      0.2857  "
        "0.0256 to 0.5069   0.0703  0.0391\n"
        "\n"
        "new is right more often than old: 0.3810 against 0.0952, difference 0.2857 "
        "(95 %\ninterval 0.0256 to 0.5069), mid-p 0.0391 on the same 21 test images\n"
        "\n"
        f"{ONE_SEED}"
        "  cnncli train old/config.yaml --seeds 5 --out old-seeds\n"
    )


def test_the_order_of_two_runs_changes_words_alone(tmp_path: Path, cli: Cli) -> None:
    first, second = pair(1, 1, 7, 12)
    make_run(tmp_path / "old", first)
    make_run(tmp_path / "new", second, epochs=3)
    verdict = compared(cli, "new", "old")["verdicts"][0]
    assert verdict == (
        "old is right less often than new: 0.0952 against 0.3810, difference -0.2857 "
        "(95 % interval -0.5069 to -0.0256), mid-p 0.0391 on the same 21 test images"
    )


def test_no_difference(tmp_path: Path, cli: Cli) -> None:
    first, second = pair(50, 4, 5, 41)
    make_run(tmp_path / "a", first)
    make_run(tmp_path / "b", second, epochs=3)
    assert compared(cli, "a", "b")["verdicts"][0] == (
        "no difference can be shown: b has an accuracy of 0.5500, a of 0.5400, "
        "difference 0.0100 (95 % interval -0.0510 to 0.0708), mid-p 0.7539 on the same "
        "100 test images"
    )


def test_the_same_predictions(tmp_path: Path, cli: Cli) -> None:
    for name in ("a", "b"):
        make_run(tmp_path / name, share(90))
    (only,) = compared(cli, "a", "b")["pairs"]
    assert (only["exact_p"], only["mid_p"], only["difference"]) == (1, 1, 0)


def test_json(tmp_path: Path, cli: Cli) -> None:
    first, second = pair(1, 1, 7, 12)
    make_run(tmp_path / "old", first)
    make_run(tmp_path / "new", second, epochs=3, processor="fast")
    printed = compared(cli, "old", "new")
    old = {
        "config": "A",
        "name": "old",
        "seed": 1,
        "correct": 2,
        "accuracy": 2 / 21,
        "accuracy_interval": pytest.approx([0.0265, 0.2891], abs=1e-4),
        "loss": 0.5,
        "epochs": 2,
        "kept_epoch": 1,
        "seconds": 12.34,
        "parameters": 7850,
        "model_bytes": 1234,
    }
    lone = dict.fromkeys(
        ("standard_deviation", "mean_interval", "next_seed_interval"), None
    )
    assert printed == {
        "schema": "cnncli.comparison/1",
        "images": 21,
        "split": "test",
        "runs": [
            old,
            {
                **old,
                "config": "B",
                "name": "new",
                "correct": 8,
                "accuracy": 8 / 21,
                "accuracy_interval": pytest.approx([0.2075, 0.5912], abs=1e-4),
            },
        ],
        "configs": [
            {
                "label": "A",
                "runs": ["old"],
                "seeds": 1,
                "mean_accuracy": 2 / 21,
                **lone,
            },
            {
                "label": "B",
                "runs": ["new"],
                "seeds": 1,
                "mean_accuracy": 8 / 21,
                **lone,
            },
        ],
        "config_differences": [
            {"key": "training.epochs", "values": {"A": 2, "B": 3}},
        ],
        "other_differences": [{"key": "processor", "values": {"new": "fast"}}],
        "pairs": [
            {
                "first": "old",
                "second": "new",
                "both_right": 1,
                "only_first_right": 1,
                "only_second_right": 7,
                "both_wrong": 12,
                "difference": 6 / 21,
                "difference_interval": pytest.approx([0.0256, 0.5069], abs=1e-4),
                "exact_p": pytest.approx(0.0703, abs=1e-4),
                "mid_p": pytest.approx(0.0391, abs=1e-4),
                "adjusted_mid_p": printed["pairs"][0]["mid_p"],
            }
        ],
        "config_pairs": [],
        "verdicts": printed["verdicts"],
        "next_command": "cnncli train old/config.yaml --seeds 5 --out old-seeds",
        "notes": [],
    }
    assert len(printed["verdicts"]) == 2


def test_json_is_documented(tmp_path: Path, cli: Cli) -> None:
    for seed in (1, 2):
        for epochs in (1, 2):
            name = tmp_path / f"{epochs}-{seed}"
            make_run(name, share(80 + seed + epochs), seed=seed, epochs=epochs)
    printed = compared(cli, "1-1", "1-2", "2-1", "2-2")
    section = DOCUMENTED.read_text().split("## compare")[1].split("\n## ")[0]
    documented = {*re.findall(r"`(\w+)`", section)}
    assert {*printed} <= documented
    for key in ("runs", "configs", "config_differences", "pairs", "config_pairs"):
        assert {*printed[key][0]} <= documented, key


def test_seeds_of_two_configs(tmp_path: Path, cli: Cli) -> None:
    for seed, (a, b) in enumerate([(80, 90), (82, 91), (81, 93)], start=1):
        make_run(tmp_path / f"a{seed}", share(a), seed=seed)
        make_run(tmp_path / f"b{seed}", share(b), seed=seed, epochs=3)
    runs = ("a1", "b1", "a2", "b2", "a3", "b3")
    printed = compared(cli, *runs)
    assert [run["config"] for run in printed["runs"]] == ["A", "B"] * 3
    first, second = printed["configs"]
    assert first["runs"] == ["a1", "a2", "a3"]
    assert (first["seeds"], second["seeds"]) == (3, 3)
    assert first["mean_accuracy"] == pytest.approx(0.81)
    assert first["standard_deviation"] == pytest.approx(0.01)
    assert first["mean_interval"] == pytest.approx([0.7852, 0.8348], abs=1e-4)
    assert first["next_seed_interval"] == pytest.approx([0.7603, 0.8597], abs=1e-4)
    assert len(printed["pairs"]) == 15
    (between,) = printed["config_pairs"]
    assert between["p"] == between["adjusted_p"]
    assert printed["verdicts"] == [
        "config B is right more often than config A, on average over seeds: mean "
        "0.9133 of 3 seeds against 0.8100 of 3, difference 0.1033 (95 % interval "
        "0.0721 to 0.1345), p 0.0012 by Welch's test",
        "of these networks b3 is right most often, for 0.9300 of the same 100 test "
        "images: shown to be more often than a1, a2, a3; no difference can be shown to "
        "b1, b2 (mid-p under 0.05, adjusted after Holm for 15 pairs)",
    ]
    assert printed["next_command"] is None
    lines = cli("compare", *runs).stdout.splitlines()
    assert (
        "A           3         0.8100              0.0100           0.7852 to 0.8348 "
        "              0.7603 to 0.8597"
    ) in lines
    assert ("pairs with the run that is right most often; --json has 10 more") in lines
    assert sum(" b3 " in line for line in lines[-14:]) == 5 + 1


def test_seeds_of_a_single_config(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path / "a", share(50), seed=1)
    make_run(tmp_path / "b", share(70), seed=2)
    printed = compared(cli, "a", "b")
    assert [group["label"] for group in printed["configs"]] == ["A"]
    assert printed["config_differences"] == []
    spread, networks = printed["verdicts"]
    assert spread == (
        "the runs differ in the seed alone: 2 seeds, mean accuracy 0.6000 (95 % "
        "interval 0.0000 to 1.0000), standard deviation 0.1414; what is shown between "
        "two of them is the seed's doing"
    )
    assert networks.startswith("b is right more often than a: 0.7000 against 0.5000,")
    assert printed["next_command"] is None


@pytest.mark.parametrize(
    ("correct", "expected"),
    [
        (83, "c (0.8300) lies within, so that it may be the seed's doing"),
        (60, "c (0.6000) lies outside, which seeds alone don't explain"),
    ],
)
def test_one_seed_against_several(
    correct: int, expected: str, tmp_path: Path, cli: Cli
) -> None:
    for seed, right in enumerate([80, 82, 81], start=1):
        make_run(tmp_path / f"a{seed}", share(right), seed=seed)
    make_run(tmp_path / "c", share(correct), epochs=3)
    printed = compared(cli, "a1", "a2", "a3", "c")
    assert printed["verdicts"][0] == (
        "one more seed of config A would have 0.7603 to 0.8597, going by its 3 seeds: "
        f"{expected}"
    )
    assert printed["verdicts"][2].startswith("one seed of config B: the test tells ")
    assert printed["next_command"] == (
        "cnncli train c/config.yaml --seeds 5 --out c-seeds"
    )


def test_a_study_stands_for_its_finished_runs(tmp_path: Path, cli: Cli) -> None:
    for seed in (1, 2, 10):
        make_run(tmp_path / f"s/seed-{seed}", share(60 + seed), seed=seed)
    make_run(tmp_path / "s/seed-11", share(60), seed=11, status="stopped")
    Path("s/study.json").write_text("{}")
    printed = compared(cli, "s")
    assert [run["name"] for run in printed["runs"]] == [
        "s/seed-1",
        "s/seed-2",
        "s/seed-10",
    ]
    Path("t").mkdir()
    Path("t/study.json").write_text("{}")
    assert cli("compare", "t", exit_code=4).stderr == (
        "error: t: a comparison needs two finished runs, and here are none\n"
    )


def test_several_lone_runs_are_judged_together(tmp_path: Path, cli: Cli) -> None:
    for seed, right in enumerate([80, 82, 81], start=1):
        make_run(tmp_path / f"a{seed}", share(right), seed=seed)
    for epochs in (3, 4, 5):
        make_run(tmp_path / f"c{epochs}", share(75), epochs=epochs)
    printed = compared(cli, "a1", "a2", "a3", "c3", "c4", "c5")
    assert printed["verdicts"][0] == (
        "all of 3 more seeds of config A would have 0.7217 to 0.8983, going by its 3 "
        "seeds: c3 (0.7500), c4 (0.7500), c5 (0.7500) lie within, so that it may be "
        "the seed's doing"
    )


def test_runs_measured_on_validation_images(tmp_path: Path, cli: Cli) -> None:
    for name, right, epochs in (("-a", 60, 2), ("b", 80, 3)):
        folder = make_run(tmp_path / name, share(right), epochs=epochs)
        (folder / "metrics.json").write_text('{"split": "validation", "loss": 1}')
    printed = compared(cli, "./-a", "b")
    assert printed["verdicts"][1].startswith("validation images choose epochs and ")
    assert printed["next_command"] == (
        "cnncli train ./-a/config.yaml --seeds 5 --measure validation --out ./-a-seeds"
    )


def test_a_split_with_a_seed_of_its_own_makes_no_other_config(
    tmp_path: Path, cli: Cli
) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        folder = make_run(tmp_path / name, share(60 + seed), seed=seed)
        if name == "b":
            text = (folder / "config.yaml").read_text()
            (folder / "config.yaml").write_text(text + "data: {split: {seed: 1}}\n")
    (config,) = compared(cli, "a", "b")["configs"]
    assert config["seeds"] == 2


def test_other_images_are_refused_by_their_digests(tmp_path: Path, cli: Cli) -> None:
    for name in ("a", "b"):
        folder = make_run(tmp_path / name, share(60))
        text = json.dumps({"split": "data", "images_sha256": name})
        (folder / "metrics.json").write_text(text)
    assert cli("compare", "a", "b", exit_code=3).stderr == (
        "error: b: other images than a, though with the same labels: images_sha256 in "
        "metrics.json differs\n"
    )


def test_seeds_that_are_all_equally_right_say_nothing(tmp_path: Path, cli: Cli) -> None:
    for name, seed, epochs in (("a", 1, 2), ("b", 2, 2), ("c", 1, 3), ("d", 2, 3)):
        make_run(tmp_path / name, share(80), seed=seed, epochs=epochs)
    make_run(tmp_path / "e", share(81), epochs=4)
    assert compared(cli, "a", "b", "c", "d")["config_pairs"] == []
    assert compared(cli, "a", "b", "e")["verdicts"][0] == (
        "the 2 seeds of config A all have an accuracy of 0.8000, which doesn't say how "
        "far seeds lie apart"
    )


def test_a_repeated_run_is_no_second_seed(tmp_path: Path, cli: Cli) -> None:
    for name, seed in (("a", 1), ("again", 1), ("b", 2)):
        make_run(tmp_path / name, share(80 + seed), seed=seed)
    printed = compared(cli, "a", "again", "b")
    (group,) = printed["configs"]
    assert (group["seeds"], group["runs"]) == (2, ["a", "again", "b"])
    assert group["mean_accuracy"] == pytest.approx(0.815)
    note = "again: config and seed are those of a, so that it adds no seed"
    assert printed["notes"] == [note]
    assert cli("compare", "a", "again").stderr == f"note: {note}\n"


def test_other_training_images_make_another_config(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path / "a", share(80), seed=1)
    other = {"fingerprints": {**DATA["fingerprints"], "train": "9" * 64}}  # type: ignore[dict-item]
    make_run(tmp_path / "b", share(81), seed=2, data=other)
    printed = compared(cli, "a", "b")
    assert [group["label"] for group in printed["configs"]] == ["A", "B"]
    assert [d["key"] for d in printed["other_differences"]] == [
        "data.fingerprints.train",
        "data.split_digest",
    ]


def test_many_configs_of_several_seeds(tmp_path: Path, cli: Cli) -> None:
    names = []
    for epochs in range(1, 7):
        for seed in (1, 2, 3):
            names.append(f"{epochs}-{seed}")
            right = share(40 + 8 * epochs + seed)
            make_run(tmp_path / names[-1], right, seed=seed, epochs=epochs)
    printed = compared(cli, *names)
    assert len(printed["pairs"]) == 153
    assert len(printed["config_pairs"]) == 15
    assert printed["verdicts"] == [
        "config F is right most often on average, with a mean of 0.9000 over 3 seeds: "
        "shown to be more often than A, B, C, D, E (p under 0.05 by Welch's test, "
        "adjusted after Holm for 15 pairs)",
        printed["verdicts"][1],
    ]
    assert printed["verdicts"][1].startswith(
        "of these networks 6-3 is right most often, for 0.9100 of the same 100 test "
        "images: shown to be more often than 1-1, 1-2, 1-3, 2-1, 2-2, 7 more; no "
    )
    means = cli("compare", *names).stdout.split("\n\n")[3].splitlines()
    assert means[:3] == [
        "Welch's test of means over seeds, on the same 100 test images",
        "pairs with the config that is right most often; --json has 10 more",
        "first config  second config  difference     95 % interval         p  adjusted",
    ]
    assert means[3].startswith(
        "A             F                  0.4000  0.3773 to 0.4227  < 0.0001  < 0.0001"
    )
    assert len(means) == 3 + 5


def test_many_runs_stand_below_each_other(tmp_path: Path, cli: Cli) -> None:
    names = [f"run-{epochs}" for epochs in range(1, 28)]
    for epochs, name in enumerate(names, start=1):
        make_run(tmp_path / name, share(50 + epochs), epochs=epochs, git_commit=name)
    blocks = cli("compare", *names).stdout.split("\n\n")
    assert blocks[0].splitlines()[27].startswith("AA      run-27 ")
    assert blocks[1].splitlines()[:2] == [
        "config key  training.epochs",
        "A           1",
    ]
    assert blocks[2].splitlines()[:2] == [
        "also different  git_commit",
        "run-1           run-1",
    ]
    assert len(blocks[3].splitlines()) == 3 + 26


def test_a_network_of_another_kind(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path / "a", share(80))
    other = make_run(tmp_path / "b", share(81)) / "config.yaml"
    text = other.read_text().replace("name: output", "name: last")
    text = text.replace(
        "- Flatten", "- Conv2D: {filters: 4, kernel_size: 3}\n    - Flatten"
    )
    text += "  optimizer: {Adam: {learning_rate: 0.01}}\n"
    other.write_text(f"{text}  early_stopping: {{patience: 3}}\n")
    found = compared(cli, "a", "b")["config_differences"]
    assert {d["key"]: (d["values"].get("A"), d["values"].get("B")) for d in found} == {
        "model.layers.0": ("Flatten", "Conv2D"),
        "model.layers.1": ("Dense", "Flatten"),
        "model.layers.2": (None, "Dense"),
        "training.optimizer": ("RMSprop", "Adam"),
        "training.optimizer.Adam.learning_rate": (None, 0.01),
        "training.early_stopping.monitor": (None, "val_loss"),
        "training.early_stopping.patience": (None, 3),
        "training.early_stopping.min_delta": (None, 0.0),
    }
    assert "training.early_stopping.patience       -        3\n" in (
        cli("compare", "a", "b").stdout
    )


def test_layers_that_differ_in_their_names_alone(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path / "a", share(80), seed=1)
    other = make_run(tmp_path / "b", share(81), seed=2) / "config.yaml"
    other.write_text(other.read_text().replace("name: output", "name: last"))
    assert len(compared(cli, "a", "b")["configs"]) == 1


def test_bare_predictions(tmp_path: Path, cli: Cli) -> None:
    first, second = pair(50, 4, 5, 41)
    (tmp_path / "a.csv").write_text(predictions(first))
    # Only three columns count, the order of lines doesn't.
    lines = [line.split(",")[:3] for line in predictions(second).splitlines()]
    shuffled = [lines[0], *reversed(lines[1:])]
    text = "\r\n".join(",".join(reversed(line)) for line in shuffled)
    (tmp_path / "b.csv").write_text(f"\ufeff{text}\r\n\r\n", encoding="utf-8")
    assert cli("compare", "a.csv", "b.csv").stdout == (
        "config  run    accuracy     95 % interval\n"
        "A       a.csv    0.5400  0.4426 to 0.6344\n"
        "B       b.csv    0.5500  0.4524 to 0.6439\n"
        "\n"
        "McNemar's test on the same 100 images: how many both get right, only the "
        "first, only the second, neither\n"
        "first run  second run  both  first  second  neither  difference      "
        "95 % interval  exact p   mid-p\n"
        "a.csv      b.csv         50      4       5       41      0.0100  "
        "-0.0510 to 0.0708   1.0000  0.7539\n"
        "\n"
        "no difference can be shown: b.csv has an accuracy of 0.5500, a.csv of 0.5400, "
        "difference\n0.0100 (95 % interval -0.0510 to 0.0708), mid-p 0.7539 on the "
        "same 100 images\n"
        "\n"
        f"{ONE_SEED[:-2]}\n"
    )


@pytest.mark.usefixtures("undrawn")
def test_a_run_and_its_evaluation(run: Path, cli: Cli) -> None:
    """What ``train`` and ``evaluate`` write is read, and counted as they count."""
    cli("evaluate", "run", "--probabilities")
    printed = compared(cli, "run", "run/evaluation-test")
    metrics = json.loads((run / "metrics.json").read_text())
    for found in printed["runs"]:
        assert found["correct"] == metrics["correct"]
        assert found["accuracy_interval"] == metrics["accuracy_interval"]
        assert found["loss"] == metrics["loss"]
    first = printed["runs"][0]
    assert (first["seed"], first["epochs"], first["parameters"]) == (5, 2, 170)
    assert first["model_bytes"] == (run / "model.h5").stat().st_size
    assert printed["split"] == "test"
    (only,) = printed["pairs"]
    assert only["only_first_right"] == only["only_second_right"] == 0
    moved = compared(cli, "run/evaluation-test/predictions.csv", "run")
    assert moved["split"] is None


def test_odd_names_are_escaped(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path / "a\x1b[31m b", share(80))
    make_run(tmp_path / ("long-" * 20), share(81), epochs=3)
    result = cli("compare", "a\x1b[31m b", "long-" * 20)
    assert "\x1b" not in result.output
    assert (
        "  cnncli train 'a\\x1b[31m b/config.yaml' --seeds 5 --out "
        "'a\\x1b[31m b-seeds'\n"
    ) in result.stdout
    assert "\nB       long-long-long-long-long-l…ng-long-long-  " in result.stdout


def test_a_config_that_cannot_be_read_is_done_without(tmp_path: Path, cli: Cli) -> None:
    for name in ("a", "b"):
        make_run(tmp_path / name, share(80))
    with (tmp_path / "a" / "config.yaml").open("a") as file:
        file.write("  epoch: 3\n")
    (tmp_path / "b" / "config.yaml").write_text("{")
    (tmp_path / "b" / "history.csv").write_text("epoch,loss\n1,nothing\n")
    (tmp_path / "b" / "metrics.json").write_text("[]")
    (tmp_path / "b" / "manifest.json").write_text('{"status": "finished"}')
    result = cli("compare", "a", "b")
    assert [line.split("; ")[-1] for line in result.stderr.splitlines()] == [
        "the keys of this config are not compared",
        "the keys of this config are not compared",
        "it is done without",
    ]
    assert result.stderr.startswith("note: a/config.yaml:10:3: training.epoch: ")
    rows = result.stdout.splitlines()[1:3]
    assert rows[0].split()[6:] == ["0.5000", "2", "1", "12.3", "7,850", "1,234"]
    assert rows[1].split()[6:] == ["-", "-", "-", "-", "-", "1,234"]


def test_a_manifest_of_other_types(tmp_path: Path, cli: Cli) -> None:
    make_run(tmp_path / "a", share(80), seconds="\x1b", parameters=True, versions=[3])
    make_run(tmp_path / "b", share(80), data=[], versions={"keras": {"a": None}})
    result = cli("compare", "a", "b")
    assert result.exit_code == 0
    assert "data                    -" not in result.stdout


@pytest.mark.parametrize(
    ("p", "text"),
    [(1.0, "1.0000"), (0.05, "0.0500"), (0.0001, "0.0001"), (0.00009, "< 0.0001")],
)
def test_p_in_words(p: float, text: str) -> None:
    assert p_text(p) == text


def test_it_answers_without_tensorflow_keras_pandas_and_pictures(
    tmp_path: Path,
) -> None:
    for name in ("a", "b"):
        make_run(tmp_path / name, share(80))
    result, imported = run_program(tmp_path, "compare", "a", "b")
    assert result.returncode == 0
    assert imported == {"numpy", "pydantic", "yaml"}
