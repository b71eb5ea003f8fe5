"""The README says what the program does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cnncli import errors
from cnncli.cli import cli as group

if TYPE_CHECKING:
    from click.testing import Result

    from tests.conftest import Cli

README = (Path(__file__).parents[1] / "README.md").read_text()


def documented_keys(schema: str) -> set[str]:
    """Return the keys in the table after a schema's name."""
    table = README.split(f'"schema": "{schema}"')[1].split("\n\n")[1]
    first_cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return {key for cell in first_cells for key in re.findall(r"`(\w+)`", cell)}


def test_json_keys_of_evaluate_and_summary(finished: Path, cli: Cli) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    metrics.pop("sparse_top_k_categorical_accuracy")
    assert documented_keys("cnncli.evaluation/1") == set(metrics)
    summary = json.loads(cli("summary", "--json").stdout)
    assert documented_keys("cnncli.summary/1") == set(summary)


def test_json_keys_of_train(trained: tuple[Path, Result]) -> None:
    _, result = trained
    assert documented_keys("cnncli.train/1") == set(json.loads(result.stdout))


def test_every_command_has_a_section() -> None:
    for name in group.commands:
        assert f"\n### {name}\n" in README
        assert f"$ cnncli {name} --help" in README


def test_every_exit_code_is_there() -> None:
    codes = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.CnncliError)
    }
    documented = re.findall(r"^\| (\d+) \|", README, flags=re.MULTILINE)
    assert codes | {0, 130} == set(map(int, documented))


def test_every_file_of_a_run_is_there(finished: Path) -> None:
    for path in finished.iterdir():
        assert f"`{path.name}`" in README
