"""A config for data that nobody has described: all that can be seen, written out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli.config import as_said
from cnncli.config.commented import commented_yaml
from cnncli.config.document import Document
from cnncli.config.fields import as_name
from cnncli.config.overrides import attributed, override
from cnncli.config.problems import KeyPath, Place
from cnncli.config.schema import (
    Adam,
    Best,
    Csv,
    Data,
    EarlyStopping,
    FashionMNIST,
    Folder,
    Parquet,
    Split,
    Standardize,
    Training,
)
from cnncli.config.validation import validate
from cnncli.data.formats.csv_file import CsvFile
from cnncli.data.formats.idx import read_idx
from cnncli.data.formats.idx_folder import find_idx_files
from cnncli.data.formats.parquet_files import ParquetFiles
from cnncli.data.formats.picture_folder import PictureFolder
from cnncli.data.plan import plan_split
from cnncli.data.sources import expanded, find_source, is_embedded, kind_at
from cnncli.errors import ConfigError, printable
from cnncli.experiment.load import Experiment, check_experiment
from cnncli.experiment.small_network import small_network

if TYPE_CHECKING:
    from cnncli.architecture import LayerRow
    from cnncli.config.schema import Source
    from cnncli.data.sample import Sample
    from cnncli.data.source import DataInfo

_LOOKED_AT = 24
_IMAGES_SEEN = 300_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 10, 100

_ALWAYS: dict[KeyPath, str] = {
    ("name",): "the run folder is runs/<name>",
    ("seed",): "initial weights, order of images, which are drawn for validation",
    ("data", "source", "folder", "fit"): "or pad with black bars, or crop",
    ("data", "normalization"): "a mean of 0 and a deviation of 1; or divide, by 255",
    ("training", "optimizer"): "a smaller rate if the loss jumps",
    ("training", "batch_size"): "images in a step",
    ("training", "epochs"): "passes over the training images, at most",
    ("training", "early_stopping"): "epochs without a better val_loss to wait",
    ("training", "weights"): "of the epoch with the best val_accuracy; or last",
}
_STRATIFIED = "each class keeps its share; or random, head"
_HEAD = "the first images train, the next validate; or random, stratified"
_SPLIT: dict[KeyPath, str] = {
    ("data", "split", "train"): "of the images that aren't for testing",
    ("data", "split", "validation"): "they tell which epoch is the best",
    ("data", "split", "test"): "of all images; looked at once, in the end",
}


@dataclass(frozen=True)
class Proposal:
    """A config that trains on some data as it stands.

    Attributes:
        experiment: What it says.
        notes: What was found out about the data that could have been otherwise.
        text: The config, with comments.
    """

    experiment: Experiment
    notes: tuple[str, ...]
    text: str


def propose(
    place: Path,
    settings: Sequence[str] = (),
    *,
    path: Path | None = None,
    schema: str | None = None,
) -> Proposal:
    """Look at data and write a config for it.

    Args:
        place: A file or folder of any kind, told by content; or "fashion-mnist" for the
            images inside the package.
        settings: ``key.path=value`` settings of what can't be seen, or is to be
            otherwise, in the order given.
        path: Where the config will be, if that is known.
        schema: The path from there to the JSON Schema of a config, for editors.

    Raises:
        ConfigError: A setting is wrong.
        DataError: The data isn't there, is of no kind that is read, or more must be
            said of it.
    """
    source = _said_source(place, settings)
    seen = _sample_of(source)
    if seen is not None:
        source = source.model_copy(update=_size(source, seen))
    info = find_source(source).describe()
    source = _written_out(source, info)
    document = override(_document(place, _config(place, source, info)), settings)
    experiment = check_experiment(document, path or place)
    comments = {
        key: comment
        for key, comment in _comments(experiment, seen).items()
        if not document.place(key).option  # what was set needs no explanation
    }
    text = commented_yaml(document.value, comments)
    return Proposal(experiment, info.notes, _head(experiment, path, schema) + text)


def _document(place: Path, value: dict[str, Any]) -> Document:
    start = Place(0, 1, 1, str(place))
    return Document(value, dict.fromkeys(_paths(value, ()), start))


def _paths(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    """Yield the key path of a value and of all in it."""
    yield path
    if isinstance(value, dict | tuple):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in inner:
            yield from _paths(item, (*path, key))


def _said_source(place: Path, settings: Sequence[str]) -> Source:
    """Return the data source at a place, as far as anybody has described it.

    Raises:
        ConfigError: A setting is wrong.
        DataError: The data can't be read.
    """
    kind = FashionMNIST if is_embedded(place) else kind_at(place)
    said: dict[str, Any] = {} if kind is FashionMNIST else {"path": str(place)}
    value = {"data": {"source": {kind.tag(): said}}}
    document = override(_document(place, value), settings)
    data: Any = document.value["data"]
    if isinstance(data, dict):
        data = {"source": _with_classes(place, data.get("source"))}
    checked, problems = validate(Data, data)
    if checked is None:
        problems = [replace(each, path=("data", *each.path)) for each in problems]
        raise ConfigError(*document.lines(attributed(document, problems)))
    return checked.source


def _with_classes(place: Path, source: Any) -> Any:
    """Return what is said of a source, with the names that IDX files must be given."""
    match source:
        case {"idx": dict(said)} if "classes" not in said:
            return {**source, "idx": {**said, "classes": _labels_at(place)}}
    return source


def _labels_at(place: Path) -> tuple[str, ...]:
    """Return the numbers that labels in IDX files go up to, as names.

    Raises:
        DataError: The files are missing or damaged.
    """
    largest = 1
    for files in find_idx_files(place).values():
        _, labels = read_idx(files.labels, dimensions=1)
        largest = max(largest, max(labels, default=0))
    return tuple(map(str, range(largest + 1)))


def _sample_of(source: Source) -> Sample | None:
    """Look at some pictures, if nobody has said what they are to be brought to."""
    found = find_source(source)
    if not isinstance(found, PictureFolder | ParquetFiles) or found.asked.image_shape:
        return None
    from cnncli.data.sample import look_at

    return look_at(found.some_pictures(_LOOKED_AT))


def _size(source: Source, seen: Sample) -> dict[str, Any]:
    """Return what pictures are brought to, and how, if they are."""
    fit = {} if seen.is_even else {"fit": getattr(source, "fit", None)}
    return {"image_shape": seen.image_shape, **fit}


def _written_out(source: Source, info: DataInfo) -> Source:
    """Return a data source with all in it that was found out about the files."""
    if isinstance(source, FashionMNIST):
        return source
    found: dict[str, Any] = {"classes": info.class_names}
    if isinstance(source, Csv):
        layouts = CsvFile(expanded(source.path), source).layouts()
        headers = {layout.header for layout in layouts}
        found["image_shape"] = layouts[0].shape
        if len(headers) == 1:
            found["header"] = bool(layouts[0].header)
        if len(headers) == 1 and layouts[0].header:
            found["label"] = layouts[0].header[layouts[0].label]
    elif isinstance(source, Parquet):
        columns = ParquetFiles(expanded(source.path), source).columns()
        found |= {"image": columns.image, "label": columns.label}
    return source.model_copy(update=found)


def _config(place: Path, source: Source, info: DataInfo) -> dict[str, Any]:
    """Return a config, as in a ``Document``."""
    data = Data(source=source, normalization=Standardize())
    plan = plan_split(data, info)
    if not info.num_validation:
        split = plan.as_split().model_dump(exclude_none=True, exclude_defaults=True)
        data = data.model_copy(update={"split": Split(**split)})
    epochs = _IMAGES_SEEN // plan.num_train
    epochs = min(max(epochs, _FEWEST_EPOCHS), _MOST_EPOCHS)
    training = Training(
        optimizer=Adam(learning_rate=0.001),
        batch_size=32,
        epochs=epochs,
        early_stopping=EarlyStopping(patience=max(5, epochs // 5)),
        weights=Best(),
    )
    layers = small_network(info.image_shape, len(info.class_names))
    return {
        "name": _name_of(place),
        "seed": 1,
        "data": as_said(data),
        "model": {"layers": as_said(layers)},
        "training": as_said(training),
    }


def _name_of(place: Path) -> str:
    """Return a name for runs: that of a folder, or of a file without its suffixes."""
    whole = place.resolve()
    own = whole.name if place.is_dir() else whole.name.partition(".")[0]
    names = (as_name(part).strip("-") for part in (own, whole.parent.name))
    return next(filter(None, names), "images")


def _comments(experiment: Experiment, seen: Sample | None) -> dict[KeyPath, str]:
    """Return what to say of the values in a proposed config."""
    data, info = experiment.config.data, experiment.data
    source: KeyPath = ("data", "source", data.source.type)
    comments = _ALWAYS | _layer_comments(experiment.rows)
    found = _seen(seen) if seen is not None else "1 channel is grey"
    comments[*source, "image_shape"] = f"height, width, channels; {found}"
    if info.num_validation:
        comments[*source, "path"] = "with folders for training, validation and test"
    else:
        comments |= _SPLIT
        is_head = data.split.method == "head"
        comments["data", "split", "method"] = _HEAD if is_head else _STRATIFIED
    positions = tuple(map(str, range(len(info.class_names))))
    if info.class_names == positions and not isinstance(data.source, Folder):
        comments[*source, "classes"] = "the labels; write what they mean, in this order"
    return comments


def _layer_comments(rows: Sequence[LayerRow]) -> dict[KeyPath, str]:
    """Return what to say of the layers: chiefly, what becomes of an image's size."""
    layers: KeyPath = ("model", "layers")
    parameters = sum(row.parameters for row in rows)
    size = _sizes(rows[0].input_shape)
    comments = {layers: f"{parameters:,} parameters, for images of {size}"}
    for row in rows:
        if row.type == "RandomFlip":
            said = "while training; remove it if mirrored images are of another class"
        elif row is rows[-1]:
            said = "a probability for each class"
        elif row.type == "Dropout":
            said = "while training, against learning images by heart"
        elif row.output_shape[:2] != row.input_shape[:2] and row.type != "Dense":
            said = f"makes {_sizes(row.output_shape)}"
        else:
            continue
        # A layer is written as its name alone, or with arguments.
        comments[*layers, row.index] = comments[*layers, row.index, row.type] = said
    return comments


def _seen(seen: Sample) -> str:
    """Return what was seen of pictures."""
    smallest, largest = min(seen.sizes), max(seen.sizes)
    sizes = _sizes(smallest)
    if largest != smallest:
        sizes += f" to {_sizes(largest)}"
    return f"of {len(seen.sizes)} pictures, {sizes}, {seen.coloured} are in colour"


def _head(experiment: Experiment, path: Path | None, schema: str | None) -> str:
    """Return the lines that say what the config is and how to use it."""
    info = experiment.data
    file = printable(shlex.quote(str(path))) if path else "CONFIG"
    count = info.num_train + info.num_test
    lines = [
        f"{count:,} images of {_sizes(info.image_shape)} in {len(info.class_names)} "
        "classes; written by cnncli init.",
        "",
        f"  look first   cnncli summary {file}",
        f"  train        cnncli train {file}",
        f"  change       cnncli train {file} --set training.epochs=5",
        "",
        "What could be seen of the data is written out; change what you know better.",
    ]
    if schema is not None:
        lines.insert(0, f"yaml-language-server: $schema={schema}")
    return "".join(f"# {line}".rstrip() + "\n" for line in lines) + "\n"


def _sizes(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))
