"""Trains an epoch where TensorFlow sees the processor as two devices.

With the argument "devices", each of them computes a part of every batch; else they are
parts that TensorFlow places as it likes.
"""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np

from cnncli.backend.tensorflow.start import start
from cnncli.data.dataset import load_splits
from cnncli.experiment.load import load_experiment
from cnncli.experiment.smoke import smoke_experiment


def main() -> None:
    """Print the parts of a batch, whether both devices are used, and what came out."""
    experiment = smoke_experiment(load_experiment(None, ["training.batch_size=30"]))
    config = experiment.config
    start(config)
    import tensorflow as tf

    from cnncli.backend.tensorflow.backend import TensorFlow

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    names = ("/device:CPU:0", "/device:CPU:1") if sys.argv[1] == "devices" else ()
    backend = TensorFlow(names)
    splits = load_splits(config, experiment.data)
    network = backend.build(config, (28, 28, 1), 10, splits.normalization)
    steps = backend.training_steps(network, splits.train, config.training)
    order = np.arange(len(splits.train), dtype=np.int32)
    sums = steps.run(order, 0, steps.per_epoch, np.zeros(2))
    prediction = network.predict(splits.validation.pixels, splits.validation.labels)
    digest = hashlib.sha256(prediction.probabilities.tobytes())
    for _, value in steps.variables():
        digest.update(np.ascontiguousarray(value).data)
    graphs = [
        str(function.get_concrete_function().graph.as_graph_def())
        for function in (steps._run, network._predict)
    ]
    said = {
        "parts": backend.describe(config)["batch_parts"],
        "placed": [all(name in graph for name in names or "?") for graph in graphs],
        "sums": sums.tolist(),
        "digest": digest.hexdigest(),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
