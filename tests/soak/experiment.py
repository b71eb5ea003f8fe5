"""A small experiment with everything in it that makes exact resuming hard."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

from cnncli.data.sources import EMBEDDED_FOLDER

CONFIG = """\
name: soak
seed: 11
data:
  source: {{fashion-mnist: {{path: {images}}}}}
  split: {{method: random, train: 203, validation: 60}}
  normalization: standardize
model:
  layers:
    - RandomTranslation: {{height_factor: 0.1, width_factor: 0.1}}
    - AveragePooling2D: {{pool_size: 4}}
    - Conv2D: {{filters: 6, kernel_size: 3, use_bias: false}}
    - BatchNormalization
    - ReLU
    - MaxPooling2D
    - Flatten
    - Dropout: {{rate: 0.3}}
    - Dense: {{units: 10, activation: softmax}}
training:
  optimizer: {{Adam: {{learning_rate: 0.01}}}}
  schedule: {{ReduceLROnPlateau: {{patience: 1, factor: 0.5}}}}
  early_stopping: {{patience: 3}}
  weights: best
  batch_size: 32
  epochs: 6
  threads: 2
"""
_COUNTS = {"train": 300, "t10k": 200}


def make_experiment(folder: Path) -> Path:
    """Write the config and a few of the embedded images; return the config's path."""
    images = folder / "images"
    images.mkdir(parents=True)
    for name, count in _COUNTS.items():
        pixels = _read(f"{name}-images-idx3-ubyte.gz")[16 : 16 + count * 28 * 28]
        labels = _read(f"{name}-labels-idx1-ubyte.gz")[8 : 8 + count]
        header = struct.pack(">4I", 2051, count, 28, 28)
        (images / f"{name}-images-idx3-ubyte").write_bytes(header + pixels)
        header = struct.pack(">2I", 2049, count)
        (images / f"{name}-labels-idx1-ubyte").write_bytes(header + labels)
    config = folder / "soak.yaml"
    config.write_text(CONFIG.format(images=images))
    return config


def _read(name: str) -> bytes:
    with gzip.open(EMBEDDED_FOLDER / name) as file:
        return file.read()
