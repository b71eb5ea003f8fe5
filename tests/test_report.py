"""The page of a report: what stands in it, and that it is nothing but text."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
            assert (key in labelled) == (count > 0)
            if count:
                what = "right" if true == predicted else f"taken for {predicted}"
                assert labelled[key].startswith(f"{true} {what}: {count:,} image")
                found = _images_in(finished, key)
                assert found <= inside[true, predicted]
                shown += len(found)
                most = 12 if true == predicted else 24
                assert len(found) == min(count, most)
    assert shown > 100


def _images_in(finished: Path, key: str) -> set[str]:
    """Return the names of the images in a cell's part of the page."""
    text = (finished / "report.html").read_text()
    part = text[text.index(f'<section id="{key}"') :]
    part = part[: part.index("</section>")]
    return set(re.findall(r"<small>(image [\d,]+)</small>", part))


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


def test_report_writes_the_same_again(run: Path, cli: Cli) -> None:
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
    assert page.headings == {"training", "run"}
    assert r"The run is failed: memory ran out\x1b[31m <b>" in page.text


def test_report_of_no_run(cli: Cli) -> None:
    Path("empty").mkdir()
    for path in ("empty", "nothing"):
        assert cli("report", path, exit_code=4).stderr == (
            f"error: {path}: not a run folder; cnncli train makes one\n"
        )


def test_report_of_a_run_whose_history_is_damaged(run: Path, cli: Cli) -> None:
    text = (run / "history.csv").read_text()
    (run / "history.csv").write_text(text + "3,much,0,0,0,0,0,0\n")
    assert cli("report", str(run), exit_code=4).stderr == (
        f"error: {run}/history.csv: line 4: expected numbers, as a run writes them\n"
    )


def test_evaluate_says_nothing_of_labels_that_were_trained_on(
    run: Path, cli: Cli
) -> None:
    cli("evaluate", str(run), "--split", "train", "--out", "out")
    page = Page(Path("out/report.html").read_text())
    assert "None can be told: the network was trained on these images" in page.text
    assert "of 300 train images right" in page.text
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
    from cnncli.report.known import Measured, Trained
    from cnncli.report.report import report_page

    return report_page(Trained("run", **trained), Measured(evaluation, images))


def test_names_are_text_and_nothing_else() -> None:
    from cnncli.report.known import Measured, Trained
    from cnncli.report.report import report_page

    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], np.float32)
    true = np.array([0, 1, 1], np.uint8)
    evaluation, images = measured(probabilities, true, [HOSTILE, "cat"])
    images = type(images)(images.pixels, true, images.indices, [HOSTILE + "p"] * 3)
    manifest = {"warnings": [HOSTILE], "versions": {HOSTILE: HOSTILE}}
    history = [{"epoch": 1, "loss": 0.5}]
    text = report_page(
        Trained(HOSTILE, f"name: {HOSTILE}\nseed: 1\n", history, manifest),
        Measured(evaluation, images),
    )
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
    assert "All 2 images correct." in page.text
    assert "mistakes" not in page.headings
    assert "None: of no image does the network hold" in page.text


def test_a_page_without_room_says_how_much_is_missing() -> None:
    from cnncli.data.images import Images

    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(12, dtype=np.uint8), 400)
    probabilities = rng.dirichlet(np.ones(12), len(true)).astype(np.float32)
    evaluation, _ = measured(probabilities, true, [f"c{n}" for n in range(12)])
    pixels = rng.integers(0, 256, (len(true), 32, 32, 3), np.uint8)
    text = page_of(evaluation, Images(pixels, true, evaluation.indices))
    assert "This page has no room left for them" in text
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
        (
            0.9,
            0.5,
            "Surer than it should be: mean probability 0.900, right 0.500, expected "
            "calibration error 0.400",
        ),
        (
            0.6,
            1,
            "Less sure than it could be: mean probability 0.600, right 1.000, expected "
            "calibration error 0.400",
        ),
        (
            1,
            1,
            "Probabilities can be taken at their word: mean probability 1.000, right "
            "1.000, expected calibration error 0.000",
        ),
    ],
)
def test_calibration_in_words(probability: float, right: float, finding: str) -> None:
    from cnncli.report.calibration import calibrate

    is_right = np.arange(10) < 10 * right
    assert calibrate(np.full(10, probability), is_right).finding == finding


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


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 40))
def test_suspects_agree_with_their_definition(seed: int, classes: int, n: int) -> None:
    from cnncli.report.suspects import suspected

    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.3), n)
    labels = rng.integers(0, classes, n)
    usual = [
        math.inf
        if not (labels == each).any()
        else float(probabilities[labels == each, each].mean())
        for each in range(classes)
    ]
    expected = set()
    for position, (row, label) in enumerate(zip(probabilities, labels, strict=True)):
        reached = [c for c in range(classes) if row[c] >= usual[c] - 1e-12]
        if reached and max(reached, key=lambda c: row[c]) != label:
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
    (line,) = chart.lines
    assert [dot.text for dot in line.dots] == [
        "epoch 1: 1.0000",
        "epoch 3: 0.5000",
        "epoch 4: 0.2500",
    ]
    assert re.sub(r"[\d. ]", "", line.path) == "MML"
    assert line.label.text == "0.250"


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
    for line in chart.lines:
        for dot in line.dots:
            assert chart.left <= dot.x <= chart.right
            assert chart.top <= dot.y <= chart.bottom
    places = sorted(line.label.y for line in chart.lines)
    assert all(after - before > 27 for before, after in pairwise(places))
    assert all(chart.left <= tick.at <= chart.right for tick in chart.x_ticks)
    assert all(chart.top <= tick.at <= chart.bottom for tick in chart.y_ticks)
