"""Runs the documented config and prints how long writing the run folder took."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.tasks import CONFIG, parse_task
from cnncli.backend.tensorflow.start import start
from cnncli.commands.progress import QuietProgress
from cnncli.experiment.load import load_experiment
from cnncli.runs.folder import RunFolder
from cnncli.runs.run import run


class Stopwatch(QuietProgress):
    """Notes when the run began to do what it does now."""

    def __init__(self) -> None:
        self.began = 0.0

    def status(self, doing: str) -> None:
        self.began = time.perf_counter()


def main() -> None:
    """Train, evaluate and write; what ``cnncli train`` does after its options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    task, options = parse_task(parser)
    experiment = load_experiment(CONFIG, task.settings())
    backend = start(experiment.config, lean=True)
    stopwatch = Stopwatch()
    with tempfile.TemporaryFile() as log:
        run(experiment, RunFolder(options.out), backend, stopwatch, log)
    print(f"seconds: {time.perf_counter() - stopwatch.began}")


if __name__ == "__main__":
    main()
