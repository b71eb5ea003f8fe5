"""The README and the pages beside it say what the program does, and hold together."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from benchmarks.figures import SPEED, Figure
from benchmarks.report import speed_chart
from benchmarks.targets import TRAINING
from cnncli import errors
from cnncli.cli import cli as group
from cnncli.experiment.load import load_experiment
from cnncli.export.formats import FORMATS

if TYPE_CHECKING:
    from click.testing import Result

    from tests.conftest import Cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", "CONTRIBUTING.md"]
PAGES += [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))]


def text_of(page: str) -> str:
    """Return a page's Markdown."""
    return (ROOT / page).read_text("utf-8")


def prose_of(page: str) -> str:
    """Return a page without its blocks of code, in which # begins no heading."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def anchors_of(page: str) -> set[str]:
    """Return the anchors of a page's headings, as Markdown viewers make them."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), flags=re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in headings
    }


def documented_keys(schema: str) -> set[str]:
    """Return the keys in the table after a schema's name."""
    table = text_of("docs/json.md").split(f'"schema": "{schema}"')[1].split("\n\n")[1]
    first_cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return {key for cell in first_cells for key in re.findall(r"`(\w+)`", cell)}


def test_json_keys_of_evaluate_and_summary(finished: Path, cli: Cli) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    metrics.pop("sparse_top_k_categorical_accuracy")
    assert documented_keys("cnncli.evaluation/1") == set(metrics)
    summary = json.loads(cli("summary", "--json").stdout)
    assert documented_keys("cnncli.summary/1") == set(summary)
    exercise = json.loads(cli("convolve", "--json").stdout)
    assert documented_keys("cnncli.convolve/1") == set(exercise)


def test_json_keys_of_predict(finished: Path, cli: Cli) -> None:
    result = cli("predict", str(finished), "nothing.png", "--json", exit_code=3)
    found = json.loads(result.stdout)
    assert documented_keys("cnncli.predict/1") == set(found)
    table = text_of("docs/json.md").split("An image's object:")[1].split("\n\n")[1]
    first_cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    keys = {key for cell in first_cells for key in re.findall(r"`(\w+)`", cell)}
    assert keys == set(found["predictions"][0])


def test_json_keys_of_train(trained: tuple[Path, Result]) -> None:
    _, result = trained
    assert documented_keys("cnncli.train/1") == set(json.loads(result.stdout))


def test_json_keys_of_export(finished: Path, cli: Cli) -> None:
    command = ("export", str(finished), "--format", "onnx", "-o", "m.onnx", "--json")
    report = json.loads(cli(*command).stdout)
    assert documented_keys("cnncli.export/1") == set(report)
    page = text_of("docs/export.md").split("## What a file says of itself")[1]
    for key in report["description"]:
        assert f"`{key}`" in page


def test_every_export_format_has_a_section() -> None:
    for name in FORMATS:
        assert f"\n## {name}\n" in text_of("docs/export.md")


def test_every_command_has_a_section() -> None:
    page = text_of("docs/commands.md")
    for name in group.commands:
        assert f"\n## {name}\n" in page
        assert f"$ cnncli {name} --help" in page


def test_every_exit_code_is_there() -> None:
    codes = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.CnncliError)
    }
    documented = re.findall(r"^\| (\d+) \|", text_of("README.md"), flags=re.MULTILINE)
    assert codes | {0, 130} == set(map(int, documented))


def test_every_file_of_a_run_is_there(finished: Path) -> None:
    for path in finished.iterdir():
        assert f"`{path.name}`" in text_of("docs/run-folder.md")


def test_the_summary_in_a_session_is_that_of_the_program(cli: Cli) -> None:
    session = f"$ cnncli summary\n{cli('summary').stdout}```\n"
    assert session in text_of("README.md")
    assert session in text_of("docs/commands.md")


def test_every_shipped_config_has_a_row_with_its_parameters(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    row = r"^\| \[`([\w-]+)`\]\(configs/\1\.yaml\) \| ([\d,]+) \| (?:0\.\d{4} )?\|"
    rows = re.findall(row, text_of("README.md"), flags=re.MULTILINE)
    shipped = {path.stem: path for path in (ROOT / "configs").iterdir()}
    assert dict(rows) == {
        name: f"{sum(row.parameters for row in load_experiment(path).rows):,}"
        for name, path in shipped.items()
    }


def test_the_chart_shows_the_last_run_on_the_page_of_speed() -> None:
    _, last_run = text_of("docs/speed.md").split("\n## The last run\n")
    found = re.findall(r"^\| (\w+) \| ([\d,]+), ", last_run, flags=re.MULTILINE)
    costs = {name: [1 / float(speed.replace(",", ""))] for name, speed in found}
    assert {"cnncli", "PyTorch", "script"} <= set(costs)
    assert speed_chart(Figure(TRAINING, SPEED, costs)) in text_of("README.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_every_picture_is_there(page: str) -> None:
    for link in re.findall(r'(?<=\]\()[^)]+|(?<=src=")[^"]+', prose_of(page)):
        path, _, anchor = link.partition("#")
        if path.startswith("https:"):
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            name = target.resolve().relative_to(ROOT).as_posix()
            assert anchor in anchors_of(name), link


@pytest.mark.parametrize("page", PAGES[2:])
def test_every_page_is_linked(page: str) -> None:
    assert f"]({page})" in text_of("README.md")


def test_yaml_of_kubernetes_fits_together() -> None:
    found = re.search(
        r"^```yaml$(.*?)^```$",
        text_of("docs/several-machines.md"),
        re.MULTILINE | re.DOTALL,
    )
    assert found
    service, job = yaml.safe_load_all(found[1])
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    assert spec["completions"] == spec["parallelism"] == 4
    assert "--num-processes=4" in pod["containers"][0]["command"]
    known = {name for option in group.commands["train"].params for name in option.opts}
    command = pod["containers"][0]["command"]
    given = {word.partition("=")[0] for word in command if word.startswith("--")}
    assert given <= known


@pytest.mark.parametrize("page", PAGES)
def test_every_path_in_the_code_is_there(page: str) -> None:
    rooms = "benchmarks|cnncli|configs|docs|scripts|tests"
    paths = re.findall(rf"`((?:{rooms})/[\w./-]*)`", prose_of(page))
    assert [path for path in paths if not (ROOT / path).exists()] == []
