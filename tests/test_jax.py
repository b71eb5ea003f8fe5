"""The checks of ``tests/on_jax``, in a process of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.on_jax.networks import (
    CONVOLUTION,
    NORMALIZATION,
    NORMALIZED,
    NUM_CLASSES,
    config_of,
    random_images,
)

if TYPE_CHECKING:
    from cnncli.config.schema import Config

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def handed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model file and single steps that TensorFlow made."""
    folder = tmp_path_factory.mktemp("handed")
    shutil.copy(finished / "model.h5", folder)
    for name, layers in (("plain", CONVOLUTION), ("normalized", NORMALIZED)):
        np.savez(folder / f"{name}.npz", allow_pickle=False, **step(config_of(layers)))
    return folder


def step(config: Config) -> dict[str, np.ndarray]:
    """Take a step on TensorFlow; return the weights before and after it, and sums."""
    import keras

    from cnncli.backend.build import build_model, measure_functions
    from cnncli.backend.tensorflow.backend import TensorFlow
    from cnncli.backend.tensorflow.network import TensorFlowNetwork

    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(config.seed)
    measures = measure_functions(config, NUM_CLASSES)
    model = build_model(config, (8, 8, 1))
    network = TensorFlowNetwork(model, NORMALIZATION, measures, devices=(None,))
    steps = TensorFlow().training_steps(network, random_images(8), config.training)
    before = {f"before/{weight.path}": weight.numpy() for weight in model.weights}
    sums = steps.run(np.arange(8, dtype=np.int32), 0, 1, np.zeros(len(measures)))
    after = {f"after/{weight.path}": weight.numpy() for weight in model.weights}
    return {**before, **after, "sums": sums}


@pytest.mark.parametrize(
    "marked", ["not slow", pytest.param("slow", marks=pytest.mark.slow)]
)
def test_on_jax(marked: str, handed: Path) -> None:
    command = [sys.executable, "-m", "pytest", "tests/on_jax", "-q", "-m", marked]
    options = ["-o", "python_files=check_*.py", "-p", "no:cacheprovider"]
    told = {"KERAS_BACKEND": "jax", "HANDED_BY_TENSORFLOW": str(handed)}
    done = subprocess.run(
        [*command, *options],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **told},
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
