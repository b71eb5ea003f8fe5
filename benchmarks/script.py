"""The course text's script with its slips mended: NumPy arrays into ``model.fit``.

Every split is divided by 255, and the validation images are not test images. The text
leaves the type of its arrays to chance; they are float32 here, which is faster and
smaller than the float64 that a plain division gives.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import matplotlib.pyplot as plt
import pandas as pd

from benchmarks.images import read_images
from benchmarks.tasks import Task, parse_task

if TYPE_CHECKING:
    import numpy as np


def load(task: Task) -> tuple[np.ndarray, ...]:
    """Return images and labels: training, validation, test."""
    images, labels = read_images(task.images, "train")
    test_images, y_test = read_images(task.images, "t10k")
    last = task.train + task.validation
    x_train = images[: task.train].astype("float32") / 255
    y_train = labels[: task.train]
    x_val = images[task.train : last].astype("float32") / 255
    y_val = labels[task.train : last]
    x_test = test_images.astype("float32") / 255
    return x_train, y_train, x_val, y_val, x_test, y_test


def build_model() -> Any:
    """Return the documented network, compiled."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="cv1"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="cv2"),
            layers.MaxPooling2D(2, name="maxpool"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="dense"),
            layers.Dense(10, activation="softmax", name="output"),
        ]
    )
    model.compile(
        optimizer="rmsprop",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def count_correct(model: Any, x_test: np.ndarray, y_test: np.ndarray) -> int:
    """Return how many test images get the highest probability at their label."""
    return int((model.predict(x_test).argmax(axis=1) == y_test).sum())


def main() -> None:
    """Train, plot, evaluate and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    task, options = parse_task(parser)
    options.out.mkdir(parents=True)
    x_train, y_train, x_val, y_val, x_test, y_test = load(task)
    model = build_model()
    model.summary()
    history = model.fit(
        x_train,
        y_train,
        batch_size=task.batch_size,
        epochs=task.epochs,
        validation_data=(x_val, y_val),
    )
    pd.DataFrame(history.history).plot()
    plt.savefig(options.out / "history.png")
    model.evaluate(x_test, y_test)
    correct = count_correct(model, x_test, y_test)
    print(f"Correct predicted classes: {correct}")
    print(f"Incorrect predicted classes: {len(y_test) - correct}")
    model.save(options.out / "model.h5")


if __name__ == "__main__":
    main()
