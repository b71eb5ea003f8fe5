"""Random damage to configs and data: read as it is or refused, never a crash."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from cnncli.cli import cli as group
from cnncli.data.formats.idx_folder import IdxFolder
from cnncli.errors import DataError
from tests.builders import CONFIG, NAMES, dataset, dataset_files
from tests.soak import SOAK
from tests.soak.mutations import mutate_config, mutate_idx
from tests.soak.outcomes import fault_of_outcome

if TYPE_CHECKING:
    from cnncli.data.source import Pool
    from tests.conftest import Cli

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
CLASSES = ("cat", "dog", "owl")
MUTATIONS = 100 * SOAK


def held(content: bytes, header: int) -> bytes:
    """Return what an IDX file holds after its header, by other means than ours."""
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    return plain[header:]


@pytest.mark.parametrize(
    ("exit_code", "stderr", "fault"),
    [
        (0, "", None),
        (2, "bad.yaml:1:2: seed: must be ...\n--set x: y\n", None),
        (3, "error: no data\n", None),
        (1, "error: x\n", "exit code 1: ['error: x']"),
        (-11, "", "exit code -11: []"),
        (2, "", "exit code 2 without a word"),
        (3, "error: \x1b[31m\n", "not a line as it should be: 'error: \\x1b[31m'"),
        (3, "ValueError\n", "not a line as it should be: 'ValueError'"),
        (3, "error: unexpected, a bug: x\n", "error: unexpected, a bug: x"),
    ],
)
def test_fault_of_outcome(exit_code: int, stderr: str, fault: str | None) -> None:
    assert fault_of_outcome(exit_code, stderr) == fault


def test_the_same_seed_does_the_same_damage() -> None:
    text, content = CONFIGS[0].read_text(), gzip.compress(bytes(range(99)))
    assert mutate_config(text, 5) == mutate_config(text, 5) != text
    assert mutate_idx(content, 5) == mutate_idx(content, 5) != content
    assert len({mutate_config(text, seed) for seed in range(50)}) > 40
    assert len({mutate_idx(content, seed) for seed in range(50)}) > 40


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_damaged_configs(path: Path, photos: Path, cli: Cli) -> None:
    Path("photos").symlink_to(photos / "photos")
    text = path.read_text()
    outcomes = set()
    for seed in range(MUTATIONS):
        Path("mutated.yaml").write_text(mutate_config(text, seed), newline="")
        result = CliRunner().invoke(group, ["summary", "mutated.yaml"])
        fault = fault_of_outcome(result.exit_code, result.stderr)
        assert fault is None, f"seed {seed}: {fault}"
        outcomes.add(result.exit_code)
    assert outcomes >= {0, 2}
    print(f"\n{path.name}: {MUTATIONS:,} damaged, each read or refused in lines")


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", NAMES)
def test_damaged_data(name: str, packed: bool, cli: Cli) -> None:
    dataset("data")
    path = Path("data") / name
    whole = gzip.compress(path.read_bytes()) if packed else path.read_bytes()
    pool: Pool = "train" if name.startswith("train") else "test"
    refused = 0
    for seed in range(MUTATIONS):
        path.write_bytes(mutate_idx(whole, seed))
        try:
            images = IdxFolder(Path("data"), CLASSES).describe().source.load(pool)
        except DataError as error:
            refused += 1
            fault = fault_of_outcome(3, "\n".join(error.lines()))
            assert fault is None, f"seed {seed}: {fault}"
            continue
        is_images = "images" in name
        read = images.pixels if is_images else images.labels
        expected = held(path.read_bytes(), 16 if is_images else 8)
        assert np.asarray(read).tobytes() == expected, f"seed {seed}"
    assert refused > MUTATIONS / 2
    print(
        f"\n{path}: {MUTATIONS:,} damaged, {refused:,} refused, the others as they are"
    )


@pytest.mark.slow
def test_a_trained_model_refuses_changed_data(cli: Cli) -> None:
    Path("good.yaml").write_text(CONFIG)
    dataset("data")
    cli("train", "good.yaml", "--out", "run", "-q")
    for name, whole in dataset_files().items():
        split = "train" if name.startswith("train") else "test"
        path = Path("data") / name
        for seed in range(25):
            changed = mutate_idx(whole, seed)
            path.write_bytes(changed)
            command = ["evaluate", "run", "--split", split]
            result = CliRunner().invoke(group, command)
            assert (result.exit_code == 3) == (changed != whole), f"{name} {seed}"
        path.write_bytes(whole)
