"""The arithmetic and the machinery of the benchmark, on made-up figures."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import machine, targets
from benchmarks.commands import Commands
from benchmarks.figures import MEMORY, SECONDS, SPEED, Figure, format_number
from benchmarks.machine import Processor, find_processor
from benchmarks.make_images import repeated
from benchmarks.processes import Worker, run_process
from benchmarks.report import speed_chart, to_json, to_markdown
from benchmarks.rounds import interleave
from benchmarks.targets import Target, find_targets
from benchmarks.tasks import Task
from benchmarks.workers.turns import Chunks, Epochs, Turns
from cnncli.data.sources import EMBEDDED_FOLDER

if TYPE_CHECKING:
    from benchmarks.workers.turns import Mode

FIGURE = Figure("a step", SECONDS, {"ours": [2.0, 1.0, 4.0], "theirs": [3.0, 5.0, 4.0]})
REPORT = """\
| target       | cnncli | compared with | measured | wanted       | met |
| ------------ | ------ | ------------- | -------- | ------------ | --- |
| speed        | 1 s    | theirs: 3 s   | 3.00 x   | at least 2   | yes |
| a small file | 900 B  |               | 900.00 B | at most 0.55 | no  |

| a step (rounds: 3) | best | 10th percentile | median | ratio of best | paired ratio |
| ------------------ | ---- | --------------- | ------ | ------------- | ------------ |
| ours               | 1 s  | 1 s             | 2 s    | 1.00 x        | 1.00 x       |
| theirs             | 3 s  | 3 s             | 4 s    | 3.00 x        | 1.50 x       |

processor Abacus, cores 2
"""
WIDE = Processor("Abacus", is_wide=True, takes_onednn=True, imitated=False)
TARGETS = (
    Target("speed", "1 s", "theirs: 3 s", 3.0, 2.0, at_least=True),
    Target("a small file", "900 B", "", 900.0, 0.55, unit="B"),
)


def test_statistics_of_a_figure() -> None:
    assert FIGURE.minimum("ours") == 1.0
    assert FIGURE.median("ours") == 2.0
    assert FIGURE.ratio("theirs", "ours") == 3.0  # 3 / 1
    assert FIGURE.paired_ratio("theirs", "ours") == 1.5  # of 3/2, 5/1, 4/4


@pytest.mark.parametrize(
    ("rounds", "expected"), [(1, 0.0), (10, 0.0), (11, 1.0), (21, 2.0), (60, 5.0)]
)
def test_tenth_percentile_is_a_round(rounds: int, expected: float) -> None:
    costs = [float(number) for number in reversed(range(rounds))]
    assert Figure("", SECONDS, {"ours": costs}).tenth_percentile("ours") == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.08391, "0.0839"), (2.0, "2"), (99.94, "99.9"), (100.4, "100"), (9e3, "9,000")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert format_number(value) == text


def test_costs_are_shown_in_the_units_that_people_read() -> None:
    assert SECONDS.show(0.5) == "0.5 s"
    assert SPEED.show(0.0001) == "10,000 images/s"
    assert MEMORY.show(890_000_000) == "890 MB"


def test_markdown() -> None:
    machine = {"processor": "Abacus", "cores": "2"}
    assert to_markdown(machine, TARGETS, [FIGURE]) == REPORT


CHART = """\
```
images trained a second

cnncli                    ████████████████████████████████████████ 10,000
PyTorch, eager            ████████████████████ 5,000
the course text's script  ██████████ 2,500
```"""


def test_chart_has_the_best_speed_of_each() -> None:
    costs = {
        "cnncli": [2e-4, 1e-4],
        "script": [4e-4],
        "PyTorch": [2e-4],
        "limit": [1.0],
    }
    assert speed_chart(Figure(targets.TRAINING, SPEED, costs)) == CHART


def test_chart_stands_before_the_table_of_training() -> None:
    figure = Figure(targets.TRAINING, SPEED, {"cnncli": [1e-4]})
    _, chart, table = to_markdown({}, [], [figure]).split("\n```\n")
    assert chart.startswith("images trained a second\n\ncnncli  ███")
    assert table.startswith("\n| training throughput (rounds: 1) |")


def test_json_keeps_every_round() -> None:
    written = json.loads(json.dumps(to_json({"cores": "2"}, TARGETS, [FIGURE])))
    assert written["machine"] == {"cores": "2"}
    assert [target["met"] for target in written["targets"]] == [True, False]
    assert written["targets"][0]["at_least"] == 2.0
    assert written["targets"][1]["at_most"] == 0.55
    assert written["figures"] == [
        {
            "name": "a step",
            "unit": "s",
            "contestants": {
                "ours": {
                    "minimum": 1.0,
                    "tenth_percentile": 1.0,
                    "median": 2.0,
                    "ratio": 1.0,
                    "paired_ratio": 1.0,
                    "rounds": [2.0, 1.0, 4.0],
                },
                "theirs": {
                    "minimum": 3.0,
                    "tenth_percentile": 3.0,
                    "median": 4.0,
                    "ratio": 3.0,
                    "paired_ratio": 1.5,
                    "rounds": [3.0, 5.0, 4.0],
                },
            },
        }
    ]


def test_targets_of_what_was_measured() -> None:
    pixels = 59_000 * 784
    figures = [
        Figure(
            targets.TRAINING,
            SPEED,
            {
                "cnncli": [1e-4, 2e-4],
                "script": [3e-4, 2.5e-4],
                "PyTorch": [1.5e-4, 1e-3],
                "limit": [7e-5, 6e-5],
                "cnncli bfloat16": [5e-5, 5e-5],
                "cnncli, 1,000 images": [1.2e-4, 1.5e-4],
                "cnncli, 60,000 images": [1e-4, 1.5e-4],
            },
        ),
        Figure(targets.EVALUATION, SPEED, {"cnncli": [4e-5], "PyTorch": [6e-5]}),
        Figure(targets.JOB, SECONDS, {"cnncli": [16.0], "script": [40.0]}),
        Figure(targets.MEMORY_SMALL, MEMORY, {"cnncli": [5e8]}),
        Figure(
            targets.MEMORY_LARGE,
            MEMORY,
            {"cnncli": [5e8 + 1.25 * pixels], "script": [1e9]},
        ),
        Figure(
            targets.STARTUP,
            SECONDS,
            {
                "bare click --help": [0.05],
                "cnncli --help": [0.1],
                "cnncli config error": [0.6, 0.4],
                "cnncli summary CONFIG": [0.6],
            },
        ),
        Figure(targets.WRITING, SECONDS, {"cnncli": [1.0]}),
    ]
    found = list(find_targets({f.name: f for f in figures}, is_wide=True))
    assert [(target.what, round(target.value, 6), target.met) for target in found] == [
        ("training speed, script's", 2.5, True),
        ("training speed, PyTorch's", 1.5, False),
        ("training speed, the limit", 0.6, False),
        ("training speed in bfloat16", 5.0, True),
        ("evaluation speed, PyTorch's", 1.5, True),
        ("the whole documented job", 0.4, True),
        ("peak memory at 60,000 images", 0.557820, True),
        ("start-up of --help", 2.0, True),
        ("a config error", 0.4, True),
        ("summary CONFIG", 0.6, False),
        ("writing the run folder", 1.0, True),
        ("growth of peak memory from 1,000 to 60,000 images", 1.25, True),
        ("cost of an image at 60,000 images and at 1,000", 1.2, False),
    ]
    with_avx2 = find_targets({f.name: f for f in figures}, is_wide=False)
    changed = [
        (there.what, there.limit, here.limit)
        for there, here in zip(found, with_avx2, strict=True)
        if there != here
    ]
    assert changed == [
        ("training speed, script's", 1.8, 4.0),
        ("training speed, PyTorch's", 1.75, 2.0),
        ("training speed, the limit", 0.72, 0.62),
        ("evaluation speed, PyTorch's", 1.4, 1.5),
        ("the whole documented job", 0.45, 0.35),
    ]


def test_no_targets_of_what_was_not_measured() -> None:
    without_script = Figure(targets.JOB, SECONDS, {"cnncli": [22.0]})
    assert list(find_targets({targets.JOB: without_script}, is_wide=True)) == []


def test_rounds_are_interleaved() -> None:
    order: list[str] = []

    def turn(name: str) -> int:
        order.append(name)
        return len(order)

    turns = {"A": lambda: turn("A"), "B": lambda: turn("B")}
    assert interleave("letters", turns, 3) == {"A": [1, 3, 5], "B": [2, 4, 6]}
    assert "".join(order) == "ABABAB"


def test_images_start_anew_where_there_are_no_more() -> None:
    assert repeated((3, 2), b"aabbcc", 2) == b"aabb"
    assert repeated((3, 2), b"aabbcc", 7) == b"aabbccaabbccaa"


def test_process_is_measured() -> None:
    code = "block = b'x' * 10**8; print('done'); raise SystemExit(3)"
    finished = run_process([sys.executable, "-c", code], exit_code=3)
    assert finished.output == "done\n"
    assert finished.peak_bytes > 10**8
    assert finished.cpu_seconds > 0
    assert finished.seconds > 0


def test_process_that_fails_is_an_error_with_its_output() -> None:
    with pytest.raises(RuntimeError, match="failed; the end of its output:\nno luck\n"):
        run_process([sys.executable, "-c", "raise SystemExit('no luck')"])


WORKER = """\
from benchmarks.workers.turns import Turns
turns = Turns()
print("what libraries print goes nowhere")
for number in range({turns}):
    turns.wait()
    turns.answer(number=number)
turns.wait()
raise SystemExit("worn out")
"""


def test_worker_answers_each_turn() -> None:
    with Worker([sys.executable, "-c", WORKER.format(turns=3)]) as worker:
        assert [worker.ask() for _ in range(3)] == [{"number": n} for n in range(3)]


def test_worker_that_dies_is_an_error_with_its_output() -> None:
    with Worker([sys.executable, "-c", WORKER.format(turns=1)]) as worker:
        assert worker.ask() == {"number": 0}
        with pytest.raises(RuntimeError, match="worn out"):
            worker.ask()


class RecordedTurns(Turns):
    """Turns that nobody asks for."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def wait(self) -> None:
        self.events.append("wait")

    def answer(self, **figures: float) -> None:
        self.events.append(", ".join(figures))


@pytest.mark.parametrize(
    ("task", "steps", "starts"),
    [
        (Task(Path()), 40, [0, 40, 80, 120, 160, 200, 240]),
        (Task(Path(), batch_size=128), 10, [0, 10, 20, 30, 40, 50, 60]),
        (Task(Path(), train=1_000), 31, [0]),
    ],
)
def test_chunks_stay_within_an_epoch(task: Task, steps: int, starts: list[int]) -> None:
    turns = RecordedTurns()
    chunks = Chunks(turns, task)
    assert chunks.steps == steps
    assert list(chunks.starts()) == starts
    for step in range(-(-task.train // task.batch_size)):
        chunks.step_begins(step)
        chunks.step_ended(step)
    assert turns.events == ["wait", "training"] * len(starts)


def test_epoch_is_evaluation_training_and_validation() -> None:
    turns = RecordedTurns()
    epochs = Epochs(turns, lambda: turns.events.append("evaluate"))
    for _ in range(2):
        epochs.epoch_begins()
        epochs.validation_begins()
        epochs.validation_ended()
    epoch = ["wait", "evaluate", "evaluation, training, validation"]
    assert turns.events == epoch * 2


@pytest.mark.parametrize(
    ("flags", "imitate", "kind", "scripts"),
    [
        ("avx2 avx512f avx512_vnni", False, "AVX-512", {"script": []}),
        (
            "avx2 avx512f avx512_vnni",
            True,
            "AVX2, imitated",
            {
                "script": ["env", "TF_ENABLE_ONEDNN_OPTS=0"],
                "script with oneDNN": ["env", "TF_ENABLE_ONEDNN_OPTS=1"],
            },
        ),
        (
            "avx2",
            True,
            "AVX2",
            {
                "script": [],
                "script with oneDNN": ["env", "TF_ENABLE_ONEDNN_OPTS=1"],
            },
        ),
        ("avx2 avx_vnni", False, "AVX2", {"script": []}),
    ],
)
def test_scripts_on_each_kind_of_processor(
    flags: str,
    imitate: bool,
    kind: str,
    scripts: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "processor_flags", lambda: frozenset(flags.split()))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    processor = find_processor(imitate_avx2=imitate)
    assert processor.kind == kind
    assert ("ONEDNN_MAX_CPU_ISA" in os.environ) is processor.imitated
    commands = Commands(None, processor)
    task = Task(Path())
    found = {name: commands.worker(name, task, "steps") for name in commands.rivals}
    ends = {name: words[: words.index(sys.executable)] for name, words in found.items()}
    assert ends == scripts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "figures"),
    [("steps", {"training"}), ("epochs", {"training", "validation", "evaluation"})],
)
def test_cnncli_takes_turns(mode: Mode, figures: set[str]) -> None:
    task = Task(EMBEDDED_FOLDER, train=200, validation=100)
    with Worker(Commands(None, WIDE).worker("cnncli", task, mode)) as worker:
        answer = worker.ask()
    assert set(answer) == figures
    assert all(seconds > 0 for seconds in answer.values())
