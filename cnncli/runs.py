"""A run: a config trained, measured on the test images and written to a run folder."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import pandas as pd

from cnncli import __version__
from cnncli.config import config_to_yaml
from cnncli.data.dataset import Splits, load_splits
from cnncli.data.splits import count_duplicates
from cnncli.evaluation import Evaluation, evaluate, evaluation_files
from cnncli.files import write_file
from cnncli.modelfile import MODEL_NAME, ModelFile, file_digest, save_model
from cnncli.models import build_optimizer, compile_model
from cnncli.network import Network, build_network
from cnncli.plots.history import plot_history
from cnncli.runfolder import LOG, RunFolder
from cnncli.runtime import batch_parts, describe_runtime
from cnncli.steps import TrainingSteps
from cnncli.summary import format_summary
from cnncli.training import Fit, fit

if TYPE_CHECKING:
    from cnncli.experiment import Experiment
    from cnncli.watchers import Watcher

SCHEMA = "cnncli.train/1"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Where its files are.
        fit: How training went.
        evaluation: What the network makes of the test images.
        seconds: How long it all took, from reading images to the last file.
    """

    folder: RunFolder
    fit: Fit
    evaluation: Evaluation
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return what ``train --json`` says; the keys are in the README."""
        return {
            "schema": SCHEMA,
            "run_folder": str(self.folder.path),
            "epochs": len(self.fit.history),
            "kept_epoch": self.fit.kept_epoch,
            "stopped_early": self.fit.stopped_early,
            "seconds": round(self.seconds, 3),
            "history": self.fit.history,
            "evaluation": self.evaluation.to_dict(),
        }


def run(
    experiment: Experiment, folder: RunFolder, progress: Watcher, log: BinaryIO
) -> Run:
    """Train, evaluate and write everything down. TensorFlow has been started.

    Args:
        experiment: What to run.
        folder: Where to; it has been found free.
        progress: Is told how it goes.
        log: What libraries wrote to stderr; a copy goes to the run folder.

    Raises:
        DataError: The images can't be read or split.
        TrainingError: Training diverged.
        OutputError: A file can't be written.
    """
    started = time.perf_counter()
    config = experiment.config
    folder.start(config_to_yaml(config), _first_manifest(experiment))
    with _ending_noted(folder, log):
        progress.status("reading images")
        splits = load_splits(config, experiment.data)
        _warn_of_overlaps(splits, progress)
        classes = experiment.data.class_names
        network = build_network(
            config, experiment.data.image_shape, len(classes), splits.normalization
        )
        fitted = _fit(experiment, network, splits, progress)
        progress.status("evaluating")
        evaluation = evaluate(network, splits.test, classes, split="test")
        progress.status("writing the run folder")
        _write_results(experiment, folder, network, splits, fitted, evaluation)
    seconds = time.perf_counter() - started
    folder.finish(
        "finished",
        seconds=round(seconds, 3),
        epoch_seconds=[round(second, 3) for second in fitted.seconds],
        kept_epoch=fitted.kept_epoch,
        data={
            "fingerprints": splits.fingerprints,
            "train_images": len(splits.train),
            "validation_images": len(splits.validation),
            "test_images": len(splits.test),
            "split_digest": splits.indices_digest,
        },
        files={MODEL_NAME: file_digest(folder / MODEL_NAME)},
    )
    return Run(folder, fitted, evaluation, seconds)


def _fit(
    experiment: Experiment, network: Network, splits: Splits, progress: Watcher
) -> Fit:
    training = experiment.config.training
    optimizer = build_optimizer(training)
    steps = TrainingSteps(
        network,
        optimizer,
        splits.train,
        training.batch_size,
    )
    return fit(
        network,
        steps,
        optimizer,
        splits.validation,
        training,
        seed=experiment.config.seed,
        progress=progress,
    )


def _write_results(
    experiment: Experiment,
    folder: RunFolder,
    network: Network,
    splits: Splits,
    fitted: Fit,
    evaluation: Evaluation,
) -> None:
    compile_model(network.model, experiment.config)
    saved = ModelFile(
        folder / MODEL_NAME,
        experiment.config,
        experiment.data.class_names,
        experiment.data.image_shape,
        splits.normalization,
        splits.fingerprints,
    )
    save_model(saved, network.model)
    history = pd.DataFrame(fitted.history)
    write_file(folder / "history.csv", history.to_csv(index=False))
    write_file(folder / "history.png", plot_history(history))
    summary = format_summary(experiment.rows, experiment.data.image_shape)
    write_file(folder / "summary.txt", summary + "\n")
    for name, content in evaluation_files(evaluation).items():
        write_file(folder / name, content)


@contextmanager
def _ending_noted(folder: RunFolder, log: BinaryIO) -> Iterator[None]:
    """Note in the manifest that a run failed or was stopped; keep the log."""
    try:
        yield
    except KeyboardInterrupt:
        folder.finish("stopped")
        raise
    except Exception as error:
        folder.finish("failed", reason=str(error).splitlines()[0])
        raise
    finally:
        log.seek(0)
        write_file(folder / LOG, log.read())


def _warn_of_overlaps(splits: Splits, progress: Watcher) -> None:
    """Warn of test images that training or validation also see."""
    for name, images in (
        ("validation", splits.validation),
        ("training", splits.train),
    ):
        shared = count_duplicates(images.pixels, splits.test.pixels)
        if shared:
            progress.warn(
                f"{shared:,} of the {len(splits.test):,} test images are {name} images "
                "too; the test result is not that of unseen images"
            )


def _first_manifest(experiment: Experiment) -> dict[str, object]:
    config = experiment.config
    return {
        "cnncli": __version__,
        "name": config.name,
        "seed": config.seed,
        "batch_parts": batch_parts(config),
        "git_commit": _git_commit(),
        **describe_runtime(),
    }


def _git_commit() -> str | None:
    """Return the commit that the working folder is at, if it is under git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            capture_output=True,
            check=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
