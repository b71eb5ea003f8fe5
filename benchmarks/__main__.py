"""Times cnncli against the script it replaces, PyTorch, Lightning and the limit.

Run it with nothing else running: ``make bench``. Nothing is asserted; the tables say
which targets are met.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import targets
from benchmarks.bench import Bench
from benchmarks.commands import Commands
from benchmarks.machine import describe_machine, find_processor
from benchmarks.processes import run_process
from benchmarks.report import to_json, to_markdown
from benchmarks.rounds import show_progress
from benchmarks.stages import STAGES
from benchmarks.tasks import Task
from cnncli.system.processor import computes

if TYPE_CHECKING:
    from benchmarks.figures import Figure

BUILD = Path("build/bench")
ROUNDS = {
    "startup": 10,
    "steps": 60,
    "epochs": 8,
    "writing": 3,
    "backends": 3,
    "memory": 1,
    "pictures": 1,
    "jobs": 1,
}
QUICK_ROUNDS = {
    "startup": 3,
    "steps": 10,
    "epochs": 1,
    "writing": 1,
    "backends": 1,
    "jobs": 1,
}


def main() -> None:
    """Measure, print the tables and write them."""
    options = parse_options()
    options.out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        bench = prepare(options, Path(folder))
        for stage in options.only or (QUICK_ROUNDS if options.quick else ROUNDS):
            figures |= {figure.name: figure for figure in STAGES[stage](bench)}
    processor = bench.commands.processor
    machine = describe_machine(processor, bench.commands.torch_python)
    found = targets.find_targets(figures, is_wide=processor.is_wide)
    results = machine, list(found), figures.values()
    markdown = to_markdown(*results)
    (options.out / "bench.md").write_text(markdown, encoding="utf-8")
    (options.out / "bench.json").write_text(json.dumps(to_json(*results), indent=1))
    show_progress(f"written: {options.out}/bench.md, {options.out}/bench.json")
    print(markdown, end="")


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="3 minutes: few rounds, one epoch, no jobs of 60,000 images",
    )
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="rounds of training steps"
    )
    parser.add_argument(
        "--only", action="append", choices=STAGES, help="measure this; repeatable"
    )
    parser.add_argument(
        "--imitate-avx2",
        action="store_true",
        help="keep a processor with AVX-512 from computing with it",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="four full IDX files; without it, the embedded images, repeated",
    )
    parser.add_argument(
        "--torch-python",
        type=Path,
        metavar="PATH",
        default=BUILD / "venv" / "bin" / "python",
        help="interpreter with PyTorch and Lightning",
    )
    parser.add_argument("--out", type=Path, default=BUILD, help="folder for results")
    return parser.parse_args()


def prepare(options: argparse.Namespace, scratch: Path) -> Bench:
    """Make the images and find out who can take part."""
    torch_python = options.torch_python
    if not torch_python.exists():
        show_progress(f"no {torch_python}: PyTorch and Lightning don't take part")
        torch_python = None
    rounds = {**ROUNDS, **QUICK_ROUNDS} if options.quick else ROUNDS
    if options.rounds:
        rounds = {**rounds, "steps": options.rounds}
    processor = find_processor(imitate_avx2=options.imitate_avx2)
    images = make_images(options.images, scratch)
    return Bench(
        Commands(torch_python, processor),
        images,
        scratch,
        job=Task(images[Task.train], epochs=1 if options.quick else Task.epochs),
        bfloat16=not processor.imitated and computes("mixed_bfloat16"),
        rounds=rounds,
    )


def make_images(source: Path | None, scratch: Path) -> dict[int, Path]:
    """Return folders of images by their number of training images."""
    folders = {}
    for train in (targets.SMALL, Task.train, targets.LARGE):
        show_progress(f"making {train:,} images", passing=True)
        folders[train] = scratch / str(train)
        command = [sys.executable, "-m", "benchmarks.make_images"]
        command += [f"--count={train + Task.validation}", f"--out={folders[train]}"]
        run_process([*command, f"--source={source}"] if source else command)
    return folders


if __name__ == "__main__":
    main()
