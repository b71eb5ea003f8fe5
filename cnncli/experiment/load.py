"""A config checked as a whole: its schema, its data's headers and its network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cnncli.architecture import LayerRow, check_network
from cnncli.config.document import read_document
from cnncli.config.fields import as_name
from cnncli.config.overrides import attributed, override
from cnncli.config.problems import KeyPath, Problem
from cnncli.config.schema import (
    Best,
    Config,
    Data,
    FashionMNIST,
    Folder,
    Model,
    ReduceLROnPlateau,
    Source,
    Split,
    Training,
)
from cnncli.config.validation import validate
from cnncli.data.plan import plan_split
from cnncli.data.sources import expanded, find_source
from cnncli.errors import ConfigError, DataError, DataNotFoundError
from cnncli.experiment.precision import resolved_precision
from cnncli.experiment.shipped import shipped_config
from cnncli.system.caches import cache_folder
from cnncli.system.processor import available_threads

if TYPE_CHECKING:
    from cnncli.config.document import Document
    from cnncli.data.plan import SplitPlan
    from cnncli.data.source import DataInfo


@dataclass(frozen=True)
class Experiment:
    """A config that fits its data, with nothing left open in it.

    Attributes:
        config: The resolved config: every default filled in, every layer named.
        data: The data set's sizes and classes.
        rows: The network, layer by layer.
    """

    config: Config
    data: DataInfo
    rows: tuple[LayerRow, ...]


def load_experiment(path: Path | None, overrides: Sequence[str] = ()) -> Experiment:
    """Read a config, apply ``--set`` options and check everything about it.

    Args:
        path: The config file; without one, the documented experiment.
        overrides: ``key.path=value`` settings, in the order given.

    Raises:
        ConfigError: Anything is wrong with the config; it lists every problem.
        DataError: The data set's files are missing or have wrong headers.
    """
    path = path or shipped_config("fashion-mnist")
    return check_experiment(override(read_document(path), overrides), path)


def check_experiment(
    document: Document, path: Path, find: Callable[[Source], DataInfo] | None = None
) -> Experiment:
    """Check everything about a config.

    Args:
        document: The config as read.
        path: Its file, which names a run that has no name.
        find: What describes data sets, if it isn't ``find_data``.

    Raises:
        ConfigError: Anything is wrong with the config; it lists every problem.
        DataError: The data set's files are missing or have wrong headers.
    """
    config, problems = validate(Config, document.value)
    problems = attributed(document, problems)
    parts = _parts_of(config) if config else _valid_parts(document.value)
    problems += document.problems
    data: DataInfo | None = None
    rows: tuple[LayerRow, ...] = ()
    if parts.training:
        problems += _monitor_problems(parts.training, parts.split)
        problems += _clipping_problems(parts.training)
    if parts.source:
        try:
            data = (find or find_data)(parts.source)
        except DataError:
            if not problems:
                raise
    if parts.source and parts.split and data:
        said = Data(source=parts.source, split=parts.split)
        problems += _split_problems(said, data)
    if parts.model and data:
        classes = len(data.class_names)
        rows, found = check_network(parts.model.layers, data.image_shape, classes)
        problems += found
    if problems or config is None or data is None:
        raise ConfigError(*document.lines(problems))
    return Experiment(_resolved(config, path, data), data, rows)


def find_data(source: Source) -> DataInfo:
    """Describe a config's data set.

    Raises:
        DataError: It isn't there, or its files have wrong headers.
    """
    try:
        return find_source(source).describe()
    except DataNotFoundError as error:
        if source.path is None:  # it should be in the package
            raise
        if source.path == str(cache_folder(FashionMNIST.tag())):
            raise DataError(
                f"{error}; get them with: cnncli fetch fashion-mnist"
            ) from error
        key = f"data.source.{source.type}.path"
        raise DataError(
            f"{error}; {key} says where it is: change that in the config, or with "
            f"--set {key}={source.place}"
        ) from error


class _Parts(NamedTuple):
    """The parts of a config that are checked further, each only if it is valid."""

    training: Training | None
    source: Source | None
    split: Split | None
    model: Model | None


def _parts_of(config: Config) -> _Parts:
    return _Parts(config.training, config.data.source, config.data.split, config.model)


def _valid_parts(value: dict[str, Any]) -> _Parts:
    """Validate each part by itself, so that a problem in one hides none in another."""
    data = value.get("data", {})
    with_source, _ = validate(Data, _alone("source", data))
    with_split, _ = validate(Data, _alone("split", data))
    training, _ = validate(Training, value.get("training", {}))
    model, _ = validate(Model, value.get("model", {}))
    return _Parts(
        training,
        with_source.source if with_source else None,
        with_split.split if with_split else None,
        model,
    )


def _alone(key: str, section: Any) -> Any:
    """Return a section with only one of its keys, which may be missing."""
    if not isinstance(section, dict):
        return section
    return {name: value for name, value in section.items() if name == key}


def _monitor_problems(training: Training, split: Split | None) -> Iterator[Problem]:
    """Find what watches a metric that isn't measured."""
    unvalidated = split is not None and split.validation == 0
    for path, monitor in _monitors(training):
        metric = monitor.removeprefix("val_")
        if metric not in ("loss", *training.metrics):
            message = f"{monitor!r} is not measured; add {metric!r} to training.metrics"
            yield Problem((*path, "monitor"), message)
        elif unvalidated and monitor != metric:
            message = (
                f"{monitor!r} is not measured, for data.split.validation is 0; give it "
                "some images"
            )
            yield Problem((*path, "monitor"), message)


def _monitors(training: Training) -> Iterator[tuple[KeyPath, str]]:
    schedule, weights = training.schedule, training.weights
    if isinstance(schedule, ReduceLROnPlateau):
        yield ("training", "schedule", schedule.type), schedule.monitor
    if training.early_stopping is not None:
        yield ("training", "early_stopping"), training.early_stopping.monitor
    if isinstance(weights, Best):
        yield ("training", "weights", weights.type), weights.monitor


def _clipping_problems(training: Training) -> Iterator[Problem]:
    """Find more than one way to clip gradients, of which Keras takes one."""
    optimizer = training.optimizer
    ways = ("clipnorm", "clipvalue", "global_clipnorm")
    given = [way for way in ways if getattr(optimizer, way) is not None]
    for way in given[1:]:
        yield Problem(
            ("training", "optimizer", optimizer.type, way),
            f"{given[0]} is set already; choose one of them",
        )


def _split_problems(config: Data, data: DataInfo) -> Iterator[Problem]:
    """Find splits that ask for more images than there are."""
    path = ("data", "split")
    plan = plan_split(config, data)
    if data.num_test and config.split.test is not None:
        yield Problem(
            (*path, "test"),
            f"the data set has {data.num_test:,} test images of its own; leave this "
            "out",
        )
    yield from _group_problems(config, plan)
    if plan.pool < 1:
        yield Problem(
            (*path, "test"),
            f"{plan.num_taken:,} images, but there are {plan.num_images:,} in all, "
            "which are trained on as well",
        )
        return
    beside = f" beside {plan.num_taken:,} to test" if plan.num_taken else ""
    train, validation = plan.num_train, plan.num_validation
    if train > plan.pool:
        yield Problem(
            (*path, "train"),
            f"{train:,} images, but there are {plan.pool:,} to train on{beside}",
        )
    if validation > plan.validation_pool:
        yield Problem(
            (*path, "validation"),
            f"{validation:,} images, but there are {plan.validation_pool:,} to take "
            "them from",
        )
    if max(train, plan.num_held_out) <= plan.pool < train + plan.num_held_out:
        yield Problem(
            path,
            f"{train:,} training and {validation:,} validation images are "
            f"{train + validation:,} together, but there are {plan.pool:,}{beside}; "
            "lower one",
        )


def _group_problems(config: Data, plan: SplitPlan) -> Iterator[Problem]:
    """Find objects that can't be told, or not be kept together."""
    path = ("data", "split", "group")
    if config.split.group is None:
        return
    if not isinstance(config.source, Folder):
        yield Problem(
            path,
            f"images of {config.source.type} have no file names; leave this out",
        )
    elif plan.method == "head":
        yield Problem(
            path,
            "the method head takes images as they stand; random and stratified keep "
            "those of an object together",
        )


def _resolved(config: Config, path: Path, data: DataInfo) -> Config:
    """Fill in what the config leaves to its file's name, its data and the machine."""
    name = config.name or as_name(path.stem)
    source = config.data.source
    if source.path is not None:
        absolute = str(expanded(source.path).absolute())
        source = source.model_copy(update={"path": absolute})
    split = plan_split(config.data, data).as_split()
    training = config.training.model_copy(
        update={
            "threads": config.training.threads or available_threads(),
            "precision": resolved_precision(config.training.precision),
        }
    )
    return config.model_copy(
        update={
            "name": name,
            "data": config.data.model_copy(update={"source": source, "split": split}),
            "training": training,
        }
    )
