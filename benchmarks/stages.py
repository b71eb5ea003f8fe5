"""What is measured: each stage a set of interleaved contestants."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import targets
from benchmarks.commands import cnncli
from benchmarks.figures import IMAGES, MEMORY, SECONDS, SPEED, Figure
from benchmarks.processes import Finished, run_process
from benchmarks.rounds import interleave, show_progress
from benchmarks.tasks import CONFIG

if TYPE_CHECKING:
    from benchmarks.bench import Bench


_PICTURES = """\
data: {{source: {{folder: {{path: {path}}}}}}}
model:
  layers:
    - AveragePooling2D: {{pool_size: 8}}
    - Conv2D: {{filters: 8, kernel_size: 3, activation: relu}}
    - Flatten
    - Dense: {{units: 2, activation: softmax}}
training: {{epochs: 1}}
"""


def measure_startup(bench: Bench) -> Iterable[Figure]:
    """Measure what commands cost that don't train."""
    bare = Path(__file__).with_name("bare_click.py")
    config = str(CONFIG)
    turns = {
        "bare click --help": partial(
            run_process, [sys.executable, str(bare), "--help"]
        ),
        "cnncli --help": partial(run_process, cnncli("--help")),
        "cnncli config error": partial(
            run_process, cnncli("train", config, "--set=training.epoch=5"), exit_code=2
        ),
        "cnncli summary CONFIG": partial(run_process, cnncli("summary", config)),
        "import tensorflow": partial(
            run_process, [sys.executable, "-c", "import tensorflow"]
        ),
    }
    results = interleave("start-up", turns, bench.rounds["startup"])
    yield Figure(targets.STARTUP, SECONDS, _each(results, "seconds"))
    cpu_seconds = _each(results, "cpu_seconds")
    yield Figure("start-up, processor time", SECONDS, cpu_seconds)


def measure_steps(bench: Bench) -> Iterable[Figure]:
    """Measure training steps, also on few and on many images, and the limit."""
    tasks = {
        **bench.contestants(bench.job),
        "limit": ("limit", bench.job),
        **bench.variants(),
    }
    for train, name in (
        (targets.SMALL, targets.TRAINING_SMALL),
        (targets.LARGE, targets.TRAINING_LARGE),
    ):
        job = replace(bench.job, images=bench.images[train], train=train)
        tasks[name] = ("cnncli", job)
    results = bench.take_turns("steps", tasks, "steps")
    yield Figure(targets.TRAINING, SPEED, _named(results, "training"))


def measure_epochs(bench: Bench) -> Iterable[Figure]:
    """Measure whole epochs and the evaluation of the test images."""
    tasks = bench.contestants(bench.job)
    results = bench.take_turns("epochs", tasks, "epochs")
    job = bench.job
    for part, images in (("training", job.train), ("validation", job.validation)):
        name = f"{part} alone, an epoch of {images:,} images"
        yield Figure(name, SECONDS, _named(results, part))
    evaluation = {
        name: [seconds / 10_000 for seconds in costs]
        for name, costs in _named(results, "evaluation").items()
    }
    yield Figure(targets.EVALUATION, SPEED, evaluation)


def measure_jobs(bench: Bench) -> Iterable[Figure]:
    """Measure the documented job as whole processes."""
    tasks = {**bench.contestants(bench.job), **bench.variants()}
    results = bench.run_jobs("jobs", tasks)
    yield Figure(targets.JOB, SECONDS, _each(results, "seconds"))
    yield Figure("documented job, peak memory", MEMORY, _each(results, "peak_bytes"))
    wrong = {
        name: [10_000.0 - _correct(finished) for finished in rounds]
        for name, rounds in results.items()
    }
    yield Figure("test images predicted wrong", IMAGES, wrong)


def measure_memory(bench: Bench) -> Iterable[Figure]:
    """Measure whole processes of one epoch, on few and on many images."""
    names = {
        targets.SMALL: targets.MEMORY_SMALL,
        targets.LARGE: targets.MEMORY_LARGE,
    }
    for train, name in names.items():
        job = replace(bench.job, images=bench.images[train], train=train, epochs=1)
        results = bench.run_jobs("memory", bench.contestants(job))
        yield Figure(name, MEMORY, _each(results, "peak_bytes"))
        seconds = _each(results, "seconds")
        yield Figure(f"one epoch of {train:,} images, start to exit", SECONDS, seconds)


def measure_pictures(bench: Bench) -> Iterable[Figure]:
    """Measure processes that train on few and on many picture files, twice each."""
    for number, name in (
        (targets.FEW_PICTURES, targets.PICTURES_FEW),
        (targets.MANY_PICTURES, targets.PICTURES_MANY),
    ):
        results = _train_on_pictures(bench.scratch / f"pictures-{number}", number)
        yield Figure(name, MEMORY, _each(results, "peak_bytes"))
        seconds = _each(results, "seconds")
        yield Figure(f"an epoch of {number:,} pictures", SECONDS, seconds)


def _train_on_pictures(pictures: Path, number: int) -> dict[str, list[Finished]]:
    """Make pictures and train on them, first when nothing of them is decoded."""
    side = f"--side={targets.PICTURE_SIDE}"
    make = [sys.executable, "-m", "benchmarks.make_pictures"]
    run_process([*make, f"--count={number}", side, f"--out={pictures}"])
    config = pictures.with_suffix(".yaml")
    config.write_text(_PICTURES.format(path=json.dumps(str(pictures))))
    train = cnncli("train", str(config), f"--out={pictures}-run", "--overwrite")
    cache = f"XDG_CACHE_HOME={pictures}-cache"
    return {
        when: [run_process(["env", cache, *train])]
        for when in ("decoding", "decoded before")
    }


def measure_writing(bench: Bench) -> Iterable[Figure]:
    """Measure how long the run folder takes after training."""
    small = targets.SMALL
    task = replace(bench.job, images=bench.images[small], train=small, epochs=1)
    numbers = count()

    def run() -> float:
        out = bench.scratch / f"writing-{next(numbers)}"
        command = [sys.executable, "-m", "benchmarks.run_folder"]
        finished = run_process([*command, *task.arguments(), f"--out={out}"])
        return float(_found(r"seconds: (\S+)", finished.output))

    results = interleave("writing", {"cnncli": run}, bench.rounds["writing"])
    yield Figure(targets.WRITING, SECONDS, results)


def measure_backends(bench: Bench) -> Iterable[Figure]:
    """Measure the second epoch on TensorFlow, and on JAX in one to four processes."""
    if find_spec("jax") is None:
        show_progress("no JAX: its backend doesn't take part")
        return
    options: dict[str, list[str]] = {"TensorFlow": []}
    options |= {
        f"JAX, {number} process{'es' * (number > 1)}": [
            "--backend=jax",
            f"--processes={number}",
        ]
        for number in (1, 2, 4)
    }

    def train(more: list[str]) -> float:
        out = bench.scratch / "backends"
        settings = [f"--set={s}" for s in replace(bench.job, epochs=2).settings()]
        command = cnncli("train", str(CONFIG), *settings, f"--out={out}", *more)
        run_process([*command, "--overwrite"])
        seconds = json.loads((out / "manifest.json").read_text())["epoch_seconds"][1]
        return float(seconds) / bench.job.train

    turns = {name: partial(train, more) for name, more in options.items()}
    results = interleave("backends", turns, bench.rounds["backends"])
    yield Figure("an epoch, validation included", SPEED, results)


STAGES = {
    "startup": measure_startup,
    "steps": measure_steps,
    "epochs": measure_epochs,
    "writing": measure_writing,
    "backends": measure_backends,
    "memory": measure_memory,
    "pictures": measure_pictures,
    "jobs": measure_jobs,
}


def _correct(finished: Finished) -> int:
    return int(_found(r"^Correct predicted classes: (\d+)", finished.output))


def _found(pattern: str, output: str) -> str:
    match = re.search(pattern, output, re.MULTILINE)
    if match is None:
        raise RuntimeError(f"expected {pattern} in:\n{output[-3000:]}")
    return match[1]


def _each(
    results: Mapping[str, list[Finished]], attribute: str
) -> dict[str, list[float]]:
    return {
        name: [getattr(finished, attribute) for finished in rounds]
        for name, rounds in results.items()
    }


def _named(
    results: Mapping[str, list[dict[str, float]]], figure: str
) -> dict[str, list[float]]:
    return {
        name: [answer[figure] for answer in rounds]
        for name, rounds in results.items()
        if figure in rounds[0]
    }
