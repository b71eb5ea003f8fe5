"""``cnncli init``: a config for data that nobody has described."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cnncli.architecture import check_network
from cnncli.config.annotations import choices_in
from cnncli.config.commented import commented_yaml
from cnncli.config.document import parse_document
from cnncli.config.layers import name_layers
from cnncli.config.schema import Source
from cnncli.data.sample import look_at
from cnncli.data.sources import EMBEDDED_FOLDER
from cnncli.errors import DataError
from cnncli.experiment.load import load_experiment
from cnncli.experiment.proposal import propose
from cnncli.experiment.small_network import small_network
from tests.builders import dataset

if TYPE_CHECKING:
    from tests.conftest import Cli

SHIPPED = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
ODD = "no, # {x}: 'y'"
"""The name of a class that is no plain scalar."""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def picture(height: int, width: int, mode: str = "RGB", shade: int = 0) -> bytes:
    """Return a PNG; one in RGB has all colours."""
    ramp = np.linspace(0, 255 - shade, 3 * height * width).astype(np.uint8)
    pixels = ramp.reshape(height, width, 3)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "png")
    return file.getvalue()


def pictures(place: str, sizes: list[tuple[int, int]], mode: str = "RGB") -> None:
    """Write ten pictures for each of two classes, of these sizes in turn."""
    for name in (ODD, "1"):
        Path(place, name).mkdir(parents=True)
        for number in range(10):
            content = picture(*sizes[number % len(sizes)], mode, number)
            Path(place, name, f"{number}.png").write_bytes(content)


def make(kind: str) -> str:
    """Make tiny data of a kind; return where it is."""
    pixels = np.arange(20 * 16, dtype=np.uint8).reshape(20, 4, 4)
    labels = np.arange(20) % 3
    if kind == "idx":
        dataset("data")
    elif kind == "npz":
        np.savez("data.npz", x=pixels, y=labels)
    elif kind == "csv":
        rows = np.column_stack([labels, pixels.reshape(20, 16)])
        header = ",".join(["label", *(f"pixel{n}" for n in range(16))])
        np.savetxt("data.csv", rows, "%d", ",", header=header, comments="")
    elif kind == "parquet":
        from tests.test_parquet import save

        save("data.parquet", [{"bytes": picture(5, 6, "RGB", n)} for n in range(6)])
    elif kind == "folder":
        pictures("data", [(40, 30), (20, 50)])
    elif kind == "parts":
        for part in ("train", "val", "test"):
            pictures(f"data/{part}", [(6, 5)], "L")
    suffix = "" if kind in ("idx", "folder", "parts") else f".{kind}"
    return f"data{suffix}" if kind != "embedded" else "fashion-mnist"


KINDS = ["idx", "npz", "csv", "parquet", "folder", "parts", "embedded"]


def test_every_kind_is_tried() -> None:
    names = [*choices_in(Source)]
    assert {*KINDS} == {*names, "embedded", "parts"} - {"fashion-mnist"}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_trains(kind: str, cli: Cli) -> None:
    place = make(kind)
    result = cli("init", place, "-o", "c.yaml")
    assert result.stdout == ""
    assert result.stderr.endswith("written: c.yaml\n")
    proposal = propose(Path(place), path=Path("c.yaml"))
    assert Path("c.yaml").read_text() == proposal.text
    experiment = load_experiment(Path("c.yaml"))
    assert experiment.config == proposal.experiment.config
    assert max(map(len, proposal.text.splitlines())) <= 88
    small = (
        ()
        if kind != "embedded"
        else ("--set=data.split.train=64", "--set=data.split.validation=32")
    )
    assert (
        "would train into runs/" in cli("train", "c.yaml", "--dry-run", *small).stdout
    )


def test_what_was_found_out_is_written_out(cli: Cli) -> None:
    make("folder")
    text = cli("init", "data").stdout
    assert text.startswith(
        "# 20 images of 32 x 32 x 3 in 2 classes; written by cnncli init.\n"
        "#\n"
        "#   look first   cnncli summary CONFIG\n"
        "#   train        cnncli train CONFIG\n"
        "#   change       cnncli train CONFIG --set training.epochs=5\n"
        "#\n"
        "# What could be seen of the data is written out; change what you know "
        "better.\n"
        "\n"
        "name: data # the run folder is runs/<name>\n"
    )
    # Natural order: "1" first.
    assert text.split("\ndata:\n")[1].startswith(
        "  source:\n"
        "    folder:\n"
        "      path: data\n"
        "      classes: ['1', 'no, # {x}: ''y''']\n"
        "      # height, width, channels; of 20 pictures, 20 x 50 to 40 x 30, "
        "20 are in colour\n"
        "      image_shape: [32, 32, 3]\n"
        "      fit: stretch # or pad with black bars, or crop\n"
        "  split:\n"
        "    method: stratified # each class keeps its share; or random, head\n"
        "    train: 0.8 # of the images that aren't for testing\n"
        "    validation: 0.2 # they tell which epoch is the best\n"
        "    test: 0.2 # of all images; looked at once, in the end\n"
    )
    make("csv")
    assert (
        "      path: data.csv\n"
        "      classes: ['0', '1', '2'] # the labels; write what they mean, in this "
        "order\n"
        "      header: true\n"
        "      label: label\n"
        "      image_shape: [4, 4, 1] # height, width, channels; 1 channel is grey\n"
    ) in cli("init", "data.csv").stdout
    make("parquet")
    text = cli("init", "data.parquet").stdout
    assert "      image: image\n      label: label\n" in text
    assert (
        "pictures, 5 x 6, 6 are in colour\n      image_shape: [5, 6, 3]\n  split:"
        in text
    )


def test_numbers_are_to_be_named_where_names_may_take_their_place(cli: Cli) -> None:
    comment = "the labels; write what they mean, in this order"
    for labels, is_said in (([0, 1], True), ([3, 7], False)):
        np.savez("x.npz", x=np.zeros((10, 2, 2)), y=np.tile(labels, 5))
        assert (comment in cli("init", "x.npz").stdout) == is_said
    for name in "01":
        Path("data", name).mkdir(parents=True)
        for number in range(4):
            Path("data", name, f"{number}.png").write_bytes(picture(2, 2))
    assert comment not in cli("init", "data").stdout


def test_what_is_set_is_not_explained(cli: Cli) -> None:
    settings = ("training.weights=last", "data.split.method=random")
    options = [word for setting in settings for word in ("--set", setting)]
    text = cli("init", "fashion-mnist", *options).stdout
    assert text.endswith("\n  weights: last\n")
    assert "    method: random\n" in text
    assert "  batch_size: 32 # images in a step\n" in text


def test_data_that_is_split_keeps_its_split(cli: Cli) -> None:
    make("parts")
    text = cli("init", "data").stdout
    assert "  split:" not in text
    assert "path: data # with folders for training, validation and test\n" in text
    Path("c.yaml").write_text(text)
    split = load_experiment(Path("c.yaml")).config.data.split
    assert (split.method, split.train, split.validation) == ("head", 20, 20)


def test_the_labels_of_idx_files_count_the_classes() -> None:
    dataset("data")
    config = propose(Path("data")).experiment.config
    assert config.data.source.arguments()["classes"] == ("0", "1", "2")
    said = ["data.source.idx.classes=[cat, dog, owl]", "training.epochs=3"]
    config = propose(Path("data"), said).experiment.config
    assert config.data.source.arguments()["classes"] == ("cat", "dog", "owl")
    assert config.training.epochs == 3


def test_what_can_not_be_seen_is_said_with_set(cli: Cli) -> None:
    rows = np.column_stack([np.arange(8) % 2, np.zeros((8, 12), int)])
    np.savetxt("data.csv", rows, "%d", ",")
    result = cli("init", "data.csv", exit_code=3)
    assert result.stderr == (
        "error: data.csv: 12 pixel columns beside the labels are no square image; say "
        "its size: data.source.csv.image_shape: [HEIGHT, WIDTH]\n"
    )
    text = cli(
        "init", "data.csv", "--set", "data.source.csv.image_shape=[2,2,3]"
    ).stdout
    assert "      image_shape: [2, 2, 3]\n" in text
    assert "label:" not in text
    result = cli("init", "data.csv", "--set", "data.source.csv.hight=2", exit_code=2)
    assert result.stderr == (
        "--set data.source.csv.hight=2: data.source.csv.hight: unknown key; known: "
        "path, classes, header, label, image_shape, transpose\n"
    )


def test_files_that_are_not_alike_are_not_described_alike() -> None:
    Path("data").mkdir()
    Path("data/train.csv").write_text("label,a,b,c,d\n" + "0,1,2,3,4\n1,1,2,3,4\n" * 3)
    Path("data/test.csv").write_text("0,1,2,9,4\n1,4,3,2,1\n")
    source = propose(Path("data")).experiment.config.data.source
    assert source.arguments()["header"] is None
    assert source.arguments()["label"] is None


@pytest.mark.parametrize(
    ("place", "name"),
    [("my data/", "my-data"), ("./my data/..", "here"), ("my data/x.y.npz", "x")],
)
def test_the_data_names_the_run(
    place: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    (folder / "my data").mkdir(parents=True)
    monkeypatch.chdir(folder)
    if place.endswith("npz"):
        np.savez(place, x=np.zeros((9, 2, 2)), y=np.arange(9) % 2)
    else:
        for path in EMBEDDED_FOLDER.glob("*.gz"):
            (Path(place) / path.name).symlink_to(path)
    assert propose(Path(place)).experiment.config.name == name


def test_the_first_line_is_for_editors_if_the_schema_is_there(cli: Cli) -> None:
    Path("configs").mkdir()
    Path("configs/cnncli.schema.json").touch()
    cli("init", "fashion-mnist", "-o", "configs/it's.yaml")
    lines = Path("configs/it's.yaml").read_text().splitlines()
    assert lines[0] == "# yaml-language-server: $schema=cnncli.schema.json"
    assert lines[4] == """#   train        cnncli train 'configs/it'"'"'s.yaml'"""
    cli("init", "fashion-mnist", "-o", "c.yaml")
    assert Path("c.yaml").read_text().startswith("# 26,000 images of 28 x 28 x 1 in")


def test_nothing_is_overwritten_unasked(cli: Cli) -> None:
    Path("c.yaml").write_text("mine")
    command = ("init", "fashion-mnist", "-o", "c.yaml")
    assert cli(*command, exit_code=5).stderr == (
        "error: c.yaml: there is already a file with other content; choose another "
        "place, or replace it with --overwrite\n"
    )
    assert Path("c.yaml").read_text() == "mine"
    cli(*command, "--overwrite")
    cli(*command)


@settings(max_examples=40)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    channels=st.sampled_from([1, 3]),
    classes=st.integers(2, 256),
)
def test_a_network_suits_any_size(
    height: int, width: int, channels: int, classes: int
) -> None:
    layers = name_layers(small_network((height, width, channels), classes))
    rows, problems = check_network(layers, (height, width, channels), classes)
    assert problems == []
    assert sum(row.parameters for row in rows) < 1_500_000


@pytest.mark.parametrize(
    ("sizes", "modes", "shape"),
    [
        ([(28, 28)], ["L"], (28, 28, 1)),
        ([(20, 90)], ["RGB"], (20, 90, 3)),
        ([(200, 300)], ["RGB"], (96, 96, 3)),
        ([(20, 30), (30, 20)], ["L"], (32, 32, 1)),
        ([(50, 70), (70, 50), (400, 300)], ["L", "RGB", "RGB"], (48, 48, 3)),
        ([(60, 60)], ["RGB", "L"], (60, 60, 1)),
    ],
)
def test_pictures_are_brought_to_a_size_that_suits_them(
    sizes: list[tuple[int, int]], modes: list[str], shape: tuple[int, ...]
) -> None:
    contents = [
        ("x", picture(*sizes[n % len(sizes)], modes[n % len(modes)])) for n in range(6)
    ]
    assert look_at([("bad", b"no picture"), *contents]).image_shape == shape


def test_grey_pictures_may_be_stored_in_colour() -> None:
    with Image.open(io.BytesIO(picture(9, 9, "L"))) as grey:
        file = io.BytesIO()
        grey.convert("RGB").save(file, "jpeg")
    assert look_at([("x", file.getvalue())]).image_shape == (9, 9, 1)


def test_pictures_none_of_which_can_be_decoded_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        look_at([("a", b"no picture"), ("b", b"")])
    assert str(caught.value).startswith("a: not a picture in a format that is read")


def read_back(value: dict[str, Any], comments: Any) -> Any:
    text = commented_yaml(value, comments)
    return parse_document(text, "test").value


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_config_reads_back_the_same(path: Path) -> None:
    value = parse_document(path.read_text(), "").value
    assert read_back(value, {}) == value


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])),
    st.sampled_from(["no", "1e3", "0x1F", "", "~", "a: b", " x ", "#", "- a", ODD]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(scalars).map(tuple),
        st.lists(st.dictionaries(st.text("ab", min_size=1), inner)).map(tuple),
        st.dictionaries(st.text("abc_", min_size=1, max_size=30), inner),
    ),
    max_leaves=20,
)


@settings(max_examples=30)
@given(value=st.dictionaries(st.text("abc", min_size=1), values, min_size=1))
def test_any_value_reads_back_the_same(value: dict[str, Any]) -> None:
    comments = {(key,): f"about {key}: {'words ' * 20}" for key in value}
    assert read_back(value, comments) == value
