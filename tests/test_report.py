"""The page of a report: what stands in it, and that it is nothing but text."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import CONFIG as DATA_CONFIG
from tests.builders import dataset
from tests.pages import Page, check_alone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnncli.data.images import Images
    from cnncli.evaluation.evaluate import Evaluation
    from tests.conftest import Cli


@pytest.fixture(scope="module")
def page(finished: Path) -> Page:
    return Page((finished / "report.html").read_text())


def test_is_one_file_that_asks_for_nothing(finished: Path, page: Page) -> None:
    text = (finished / "report.html").read_text()
    assert len(text.encode()) < 2_000_000
    check_alone(text)
    others = {each for each in page.places if not each.startswith(("#", "data:"))}
    assert others == {"https://doi.org/10.1613/jair.1.12125"}


def test_links_lead_somewhere_and_names_are_taken_once(page: Page) -> None:
    names = [each["id"] for _, each in page.tags if "id" in each]
    assert len(set(names)) == len(names)
    inner = {
        each["href"][1:]
        for each in page.attributes("a")
        if each["href"].startswith("#")
    }
    assert inner <= set(names)


def test_has_every_part(page: Page) -> None:
    assert page.headings == {
        *("training", "confusions", "classes", "mistakes", "calibration"),
        *("suspects", "network", "maps", "run"),
    }


def test_cells_have_the_counts_and_the_images_of_predictions_csv(
    finished: Path, page: Page
) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    matrix = metrics["confusion_matrix"]
    names = [each["name"] for each in metrics["classes"]]
    with (finished / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    inside: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        name = f"image {int(row['index']):,}"
        inside.setdefault((row["true"], row["predicted"]), set()).add(name)
    labelled = {each.get("id"): each.get("aria-label", "") for _, each in page.tags}
    shown = 0
    for row_number, true in enumerate(names):
        for column, predicted in enumerate(names):
            count = matrix[row_number][column]
            key = f"cell-{row_number}-{column}"
            if key in labelled:
                assert count > 0
                what = "right" if true == predicted else f"taken for {predicted}"
                assert labelled[key].startswith(f"{true} {what}: {count:,} image")
                found = _images_in(finished, key)
                assert found <= inside[true, predicted]
                shown += len(found)
                most = 12 if true == predicted else 24
                assert len(found) == min(count, most)
    assert shown > 1000
    worst = metrics["confusions"][0]
    key = f"cell-{names.index(worst['true'])}-{names.index(worst['predicted'])}"
    assert len(_images_in(finished, key)) == 24


def _images_in(finished: Path, key: str) -> set[str]:
    """Return the names of the images in a cell's part of the page."""
    text = (finished / "report.html").read_text()
    part = text[text.index(f'<section id="{key}"') :]
    part = part[: part.index("</section>")]
    return set(re.findall(r"<small><bdi>(image [\d,]+)<", part))


def test_figures_are_those_of_the_run(finished: Path, page: Page) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    manifest = json.loads((finished / "manifest.json").read_text())
    low, high = metrics["accuracy_interval"]
    assert (
        f"{metrics['accuracy']:.4f} of 10,000 test images right; 95\xa0% interval "
        f"{low:.4f} to {high:.4f}"
    ) in " ".join(" ".join(page.texts).replace("\xa0", "\0").split()).replace(
        "\0", "\xa0"
    )
    assert f"loss {metrics['loss']:.4f}" in page.text
    assert manifest["files"]["model.h5"] in page.text
    assert manifest["data"]["fingerprints"]["test"] in page.text
    for line in (finished / "config.yaml").read_text().splitlines():
        assert re.sub(r"\s+", " ", line).strip() in page.text


def test_report_writes_the_same_again(finished: Path, cli: Cli) -> None:
    run = Path(shutil.copytree(finished, "tiny"))
    before = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    result = cli("report", str(run))
    assert (run / "report.html").read_bytes() == before
    assert result.stdout == ""
    assert result.stderr == f"written: {run}/report.html; {len(before):,} bytes\n"
    cli("report", str(run))


@pytest.mark.usefixtures("undrawn")
def test_report_elsewhere_never_replaces_anything_unasked(run: Path, cli: Cli) -> None:
    Path("page.html").write_text("mine")
    result = cli("report", str(run), "-o", "page.html", exit_code=5)
    assert result.stderr == (
        "error: page.html: there is already a file with other content; choose another "
        "place, or replace it with --overwrite\n"
    )
    cli("report", str(run), "-o", "page.html", "--overwrite")
    assert Path("page.html").read_text() == "report"


def test_report_of_a_run_that_failed(run: Path, cli: Cli) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    manifest |= {"status": "failed", "reason": "memory ran out\x1b[31m <b>"}
    (run / "manifest.json").write_text(json.dumps(manifest))
    (run / "model.h5").unlink()
    cli("report", str(run), "-o", "page.html")
    page = Page(Path("page.html").read_text())
    assert page.headings == {"training", "network", "run"}
    assert (
        f"Go on with: cnncli train {run}/config.yaml --out {run} --resume" in page.text
    )
    assert r"This run has failed: memory ran out\x1b[31m <b>" in page.text


def test_report_of_no_run(cli: Cli) -> None:
    Path("empty").mkdir()
    for path in ("empty", "nothing"):
        assert cli("report", path, exit_code=4).stderr == (
            f"error: {path}: not a run folder; cnncli train makes one\n"
        )


@pytest.mark.parametrize("damaged", ["epoch,loss\n1,much\n", "loss\n0.5\n"])
def test_a_damaged_history_is_told_of_and_done_without(
    damaged: str, run: Path, cli: Cli
) -> None:
    (run / "history.csv").write_text(damaged)
    cli("evaluate", str(run), "--out", "out")
    page = Page(Path("out/report.html").read_text())
    assert "training" not in page.headings
    assert f"{run}/history.csv:2: damaged: expected a number of the epoch" in page.text


@pytest.mark.parametrize(
    "odd",
    [
        {"warnings": 5, "seconds": "x", "kept_epoch": "x", "epoch_seconds": ["x"]},
        {"warnings": "abc", "seconds": None, "kept_epoch": 1e400, "data": [1]},
        {"versions": [[], {}], "files": {"a": {}}, "threads": None, "seed": {}},
    ],
)
def test_a_manifest_of_other_types(odd: dict[str, object], run: Path, cli: Cli) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | odd))
    cli("report", str(run), "-o", "page.html")
    assert "training" in Page(Path("page.html").read_text()).headings


def test_what_an_earlier_run_left_is_not_taken_for_this_one(
    run: Path, cli: Cli
) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"status": "running"}))
    (run / "state.npz").unlink()
    cli("report", str(run), "-o", "page.html")
    page = Page(Path("page.html").read_text())
    assert page.headings == {"network", "run"}
    assert "This run has not finished" in page.text


def test_images_elsewhere_are_said_to_be(run: Path, cli: Cli) -> None:
    cli("evaluate", str(run), "--data", "fashion-mnist", "--out", "out")
    page = Page(Path("out/report.html").read_text())
    assert "Evaluation of a network tiny" in page.text
    assert "of 10,000 images in fashion-mnist right" in page.text


@pytest.mark.usefixtures("undrawn")
def test_a_page_of_its_own_is_written_anew_by_evaluate(run: Path, cli: Cli) -> None:
    ours = '<!DOCTYPE html>\n<meta name="generator" content="cnncli 0.0">'
    cli("evaluate", str(run), "--out", "out")
    Path("out/report.html").write_text(ours)
    cli("evaluate", str(run), "--out", "out")
    assert Path("out/report.html").read_text() == "report"
    cli("evaluate", str(run), "--out", "out")
    Path("out/report.html").write_text("mine")
    cli("evaluate", str(run), "--out", "out", exit_code=5)
    assert Path("out/report.html").read_text() == "mine"
    Path("fresh").mkdir()
    Path("fresh/report.html").write_text("mine")
    cli("evaluate", str(run), "--out", "fresh", exit_code=5)
    assert [path.name for path in Path("fresh").iterdir()] == ["report.html"]


def test_report_of_a_run_whose_images_are_gone(cli: Cli) -> None:
    dataset("data")
    Path("good.yaml").write_text(DATA_CONFIG)
    cli("train", "good.yaml", "-q")
    Path("data").rename("elsewhere")
    assert cli("report", "runs/good", exit_code=3).stderr.endswith(
        "error: runs/good: with other images, 'cnncli evaluate' writes a report, to "
        "the folder of its --out\n"
    )


def test_evaluate_says_nothing_of_labels_that_were_trained_on(
    run: Path, cli: Cli
) -> None:
    cli("evaluate", str(run), "--split", "train", "--out", "out")
    page = Page(Path("out/report.html").read_text())
    assert "None can be told: the network was trained on these images" in page.text
    assert "of 300 training images right" in page.text
    assert "training" in page.headings


HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m\u202e&amp;"


def measured(
    probabilities: NDArray[np.float32], true: NDArray[np.uint8], names: list[str]
) -> tuple[Evaluation, Images]:
    """Return an evaluation of images of one grey each."""
    from cnncli.data.images import Images
    from cnncli.evaluation.evaluate import Evaluation
    from cnncli.evaluation.scores import class_scores, count_pairs, worst_confusions

    predicted = probabilities.argmax(axis=1)
    matrix = count_pairs(true, predicted, len(names))
    indices = np.arange(len(true))
    evaluation = Evaluation(
        split="test",
        indices=indices,
        digest="",
        files=(),
        true=true,
        probabilities=probabilities,
        measures={"loss": 0.5},
        classes=class_scores(matrix, tuple(names)),
        confusion_matrix=matrix,
        confusions=worst_confusions(matrix, tuple(names)),
    )
    pixels = np.zeros((len(true), 3, 2, 1), np.uint8)
    pixels[:] = indices.reshape(-1, 1, 1, 1) % 256
    return evaluation, Images(pixels, true, indices)


def page_of(evaluation: Evaluation, images: Images, **trained: Any) -> str:
    from cnncli.report.known import Measurement, Trained
    from cnncli.report.report import report_page

    return report_page(Trained("run", **trained), Measurement(evaluation, images))


def test_names_are_text_and_nothing_else() -> None:
    from cnncli.report.known import Measurement, Trained
    from cnncli.report.report import report_page

    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], np.float32)
    true = np.array([0, 1, 1], np.uint8)
    evaluation, images = measured(probabilities, true, [HOSTILE, "cat"])
    images = type(images)(images.pixels, true, images.indices, [HOSTILE + "p"] * 3)
    manifest = {"warnings": [HOSTILE], "versions": {HOSTILE: HOSTILE}}
    history = [{"epoch": 1, "loss": 0.5}]
    trained = Trained(
        HOSTILE,
        config=f"name: {HOSTILE}\nseed: 1\n",
        history=history,
        manifest=manifest,
        notes=[HOSTILE],
    )
    text = report_page(trained, Measurement(evaluation, images, HOSTILE))
    page = Page(text)
    assert "onerror=alert(1)" in page.text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    kinds = Counter(tag for tag, _ in page.tags)
    assert kinds["script"] == 0
    assert all(each["src"].startswith("data:") for each in page.attributes("img"))
    assert all("onerror" not in attributes for _, attributes in page.tags)


def test_many_classes_have_no_matrix_but_their_confusions() -> None:
    rng = np.random.default_rng(0)
    names = [f"class {number}" for number in range(300)]
    probabilities = rng.dirichlet(np.ones(300), 2000).astype(np.float32)
    true = rng.integers(0, 255, 2000).astype(np.uint8)
    text = page_of(*measured(probabilities, true, names))
    page = Page(text)
    assert not any(each.get("class") == "matrix" for each in page.attributes("table"))
    cells = [each for each in page.attributes("section") if each.get("class") == "cell"]
    assert len(cells) == 30
    assert len(text) < 2_000_000


def test_all_right_is_a_page_too() -> None:
    probabilities = np.eye(2, dtype=np.float32)
    page = Page(
        page_of(*measured(probabilities, np.array([0, 1], np.uint8), ["a", "b"]))
    )
    assert "Nothing is taken for anything else." in page.text
    assert "mistakes" not in page.headings
    assert "None: no label is contradicted with the confidence" in page.text


def test_a_page_without_room_says_how_much_is_missing() -> None:
    from cnncli.data.images import Images

    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(12, dtype=np.uint8), 400)
    probabilities = rng.dirichlet(np.ones(12), len(true)).astype(np.float32)
    evaluation, _ = measured(probabilities, true, [f"c{n}" for n in range(12)])
    pixels = rng.integers(0, 256, (len(true), 32, 32, 3), np.uint8)
    text = page_of(evaluation, Images(pixels, true, evaluation.indices))
    assert "As far as this page has room, a number opens the images behind it" in text
    assert 1_000_000 < len(text) < 2_000_000


def test_thumbnails_keep_every_pixel_of_small_images() -> None:
    from PIL import Image

    from cnncli.report.thumbnails import encoded

    rng = np.random.default_rng(0)
    for shape in ((28, 28, 1), (32, 20, 3)):
        pixels = rng.integers(0, 256, shape, np.uint8)
        source, size = encoded(pixels)
        assert source.startswith("data:image/png;base64,")
        picture = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
        assert picture.size == size == (shape[1], shape[0])
        assert np.array_equal(np.asarray(picture).reshape(shape), pixels)


def test_thumbnails_of_large_images_are_small() -> None:
    from cnncli.report.thumbnails import encoded

    pixels = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)
    source, size = encoded(pixels)
    assert size == (43, 64)
    assert len(source) < 4000


@given(
    st.lists(
        st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=60
    )
)
def test_calibration_agrees_with_its_definition(
    pairs: list[tuple[float, bool]],
) -> None:
    from cnncli.report.calibration import calibrate

    probability = np.array([each for each, _ in pairs], np.float32)
    is_right = np.array([each for _, each in pairs])
    found = calibrate(probability, is_right)
    expected = 0.0
    for number in range(15):
        low, high = number / 15, (number + 1) / 15
        inside = [
            (float(p), right)
            for p, right in zip(probability.tolist(), is_right, strict=True)
            if low < p <= high or (number == 0 and p == 0)
        ]
        if inside:
            gap = sum(p for p, _ in inside) - sum(right for _, right in inside)
            expected += abs(gap) / len(pairs)
    assert found.error == pytest.approx(expected, abs=1e-6)
    assert sum(each.images for each in found.bins) == len(pairs)
    assert 0 <= found.error <= 1


@pytest.mark.parametrize(
    ("probability", "right", "finding"),
    [
        (0.9, 0.5, "Surer than it should be: mean probability 0.900, right 0.500, "),
        (0.6, 1, "Less sure than it could be: mean probability 0.600, right 1.000, "),
        (0.8, 0.78, "As sure as it should be, as far as can be seen: mean probabil"),
    ],
)
def test_calibration_in_words(probability: float, right: float, finding: str) -> None:
    from cnncli.report.calibration import calibrate

    is_right = np.arange(100) < 100 * right
    found = calibrate(np.full(100, probability), is_right)
    assert found.finding.startswith(finding)
    assert found.finding.endswith(
        f"expected calibration error {abs(probability - right):.3f}; up to "
        f"{found.by_chance:.3f} may be chance with so many images"
    )


def test_what_chance_does_to_calibration() -> None:
    """A mean of one bin is off by less than 1.96 deviations in 19 of 20 cases."""
    from cnncli.report.calibration import calibrate

    found = calibrate(np.full(400, 0.8), np.arange(400) < 320)
    assert found.error == pytest.approx(0)
    assert found.by_chance == pytest.approx(1.96 * math.sqrt(0.8 * 0.2 / 400), rel=0.2)


def test_suspects_by_hand() -> None:
    from cnncli.report.suspects import suspected

    probabilities = np.array(
        [
            [0.9, 0.1],  # usual for the first class: (0.9 + 0.2) / 2 = 0.55
            [0.2, 0.8],  # usual for the second: (0.7 + 0.6 + 0.05) / 3 = 0.45
            [0.3, 0.7],
            [0.4, 0.6],
            [0.95, 0.05],
        ]
    )
    labels = np.array([0, 0, 1, 1, 1], np.uint8)
    assert suspected(probabilities, labels).tolist() == [4, 1]


def test_who_cannot_tell_classes_apart_suspects_nothing() -> None:
    from cnncli.report.suspects import suspected

    labels = np.arange(40) % 2
    assert not len(suspected(np.full((40, 2), 0.5), labels))
    assert not len(suspected(np.tile([0.504, 0.496], (40, 1)), labels))


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 40))
def test_suspects_agree_with_their_definition(seed: int, classes: int, n: int) -> None:
    from cnncli.report.suspects import suspected

    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.3), n)
    labels = rng.integers(0, classes, n)
    expected = set()
    for position, (row, label) in enumerate(zip(probabilities, labels, strict=True)):
        predicted = int(row.argmax())
        usual = probabilities[labels == predicted, predicted]
        if len(usual) and row[predicted] >= usual.mean() and 2 * row[label] < row.max():
            assert predicted != label
            expected.add(position)
    assert set(suspected(probabilities, labels).tolist()) == expected


def test_varied_takes_few_of_a_kind() -> None:
    from cnncli.report.suspects import varied

    kinds = np.array([0, 0, 0, 1, 0, 2])
    assert varied(np.array([5, 4, 2, 1, 3]), kinds, 4, 1) == [5, 4, 3]
    assert varied(np.array([5, 4, 2, 1, 3]), kinds, 2, 2) == [5, 4]


def test_lines_have_gaps_where_a_value_is_not_finite() -> None:
    from cnncli.report.charts import line_chart

    chart = line_chart("loss", {"run": ([1, 2, 3, 4], [1.0, math.nan, 0.5, 0.25])})
    assert chart
    (line,) = chart.lines
    assert [dot.text for dot in line.dots] == [
        "epoch 1: 1.0000",
        "epoch 3: 0.5000",
        "epoch 4: 0.2500",
    ]
    assert re.sub(r"[\d. ]", "", line.path) == "MML"
    assert line.label.text == "0.250"


def test_numbers_beside_a_chart_are_exact() -> None:
    from cnncli.report.charts import line_chart

    for low, high in ((0.3, 0.4), (0.05, 0.175), (0, 3e6), (7, 7), (-1e-5, 1e-5)):
        chart = line_chart("loss", {"run": ([1, 2], [low, high])})
        assert chart
        (line,) = chart.lines
        up = (line.dots[1].y - line.dots[0].y) / (high - low) if high > low else 0
        for tick in chart.y_ticks:
            place = line.dots[0].y + up * (float(tick.text) - low)
            assert tick.at == pytest.approx(place, abs=0.2) or high == low
        assert len({tick.text for tick in chart.y_ticks}) == len(chart.y_ticks) > 1


def test_what_is_without_bounds_is_not_drawn() -> None:
    from cnncli.report.charts import line_chart

    assert line_chart("loss", {"run": ([1, 2], [1e308, -1e308])}) is None
    chart = line_chart("loss", {"run": ([1, 2], [7, 1e308])})
    assert chart
    assert [dot.text for dot in chart.lines[0].dots] == ["epoch 1: 7.0000"]


def test_long_lines_have_their_last_point() -> None:
    from cnncli.report.charts import line_chart

    epochs = list(range(1, 100_001))
    chart = line_chart("loss", {"run": (epochs, [1 / epoch for epoch in epochs])})
    assert chart
    (line,) = chart.lines
    assert len(line.dots) == 500
    assert line.dots[-1].text == "epoch 100000: 0.0000"


@given(
    st.lists(
        st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), min_size=1, max_size=6
    )
)
def test_charts_keep_within_their_frame(curves: list[list[float]]) -> None:
    from cnncli.report.charts import line_chart

    chart = line_chart(
        "loss",
        {
            str(number): (list(range(1, len(values) + 1)), values)
            for number, values in enumerate(curves)
        },
        kept_epoch=1,
    )
    assert chart
    for line in chart.lines:
        for dot in line.dots:
            assert chart.left <= dot.x <= chart.right
            assert chart.top <= dot.y <= chart.bottom
    places = sorted(line.label.y for line in chart.lines)
    assert all(after - before > 27 for before, after in pairwise(places))
    assert all(chart.left <= tick.at <= chart.right for tick in chart.x_ticks)
    assert all(chart.top <= tick.at <= chart.bottom for tick in chart.y_ticks)
