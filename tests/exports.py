"""Small networks of all layers, and their export, for tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from cnncli.config.choices import Activation
from cnncli.config.document import parse_document
from cnncli.config.layers import name_layers
from cnncli.config.schema import Config
from cnncli.data.images import Images
from cnncli.data.normalization import Normalization
from cnncli.export.formats import FORMATS

if TYPE_CHECKING:
    from cnncli.backend.interface import Network
    from cnncli.export.export import Exported
    from cnncli.modelfile.file import ModelFile

SHAPE = (11, 14, 3)
FILES = {name: f"net{each.suffix}" for name, each in FORMATS.items()}
END = "    - Dense: {units: 3, activation: softmax}\n"


def activations(names: tuple[str, ...]) -> str:
    """Return layers with each activation, scaled so that images stay apart."""
    layers = [
        f"    - Activation: {{activation: {name}}}\n"
        "    - Rescaling: {scale: 3}\n"
        "    - Conv2D: {filters: 4, kernel_size: 1}\n"
        for name in names
    ]
    return f"""
    - Conv2D: {{filters: 4, kernel_size: 3, strides: 3, activation: tanh}}
{"".join(layers)}
    - Flatten
    - Dense: {{units: 4, use_bias: false, activation: leaky_relu}}
"""


NETWORKS = {
    "convolutions": """
    - RandomFlip
    - RandomRotation: {factor: 0.1}
    - Conv2D: {filters: 4, kernel_size: [3, 2], strides: 2, padding: same}
    - SpatialDropout2D: {rate: 0.5}
    - Conv2D: {filters: 6, kernel_size: 2, dilation_rate: [2, 1], groups: 2}
    - DepthwiseConv2D: {kernel_size: 3, depth_multiplier: 2, padding: same}
    - DepthwiseConv2D: {kernel_size: 2, dilation_rate: [1, 2], use_bias: false}
    - SeparableConv2D: {filters: 5, kernel_size: 2, strides: 2, padding: same}
    - SeparableConv2D: {filters: 4, kernel_size: 1, depth_multiplier: 2}
    - GlobalAveragePooling2D
    - Dropout: {rate: 0.5}
""",
    "pooling": """
    - RandomTranslation: {height_factor: 0.1, width_factor: 0.1}
    - ZeroPadding2D: {padding: [[1, 0], [2, 3]]}
    - MaxPooling2D: {pool_size: [3, 2], strides: 2, padding: same}
    - Conv2D: {filters: 4, kernel_size: 1, use_bias: false}
    - AveragePooling2D: {pool_size: 3, strides: 1, padding: same}
    - AveragePooling2D: {pool_size: [1, 2]}
    - GlobalMaxPooling2D: {keepdims: true}
    - GlobalAveragePooling2D: {keepdims: true}
    - Conv2D: {filters: 4, kernel_size: 1}
    - GlobalMaxPooling2D
""",
    "normalisation": """
    - RandomZoom: {height_factor: 0.1}
    - Rescaling: {scale: 0.5, offset: -0.25}
    - BatchNormalization: {epsilon: 0.01}
    - Conv2D: {filters: 4, kernel_size: 2, activation: softmax}
    - BatchNormalization: {center: false}
    - ReLU: {max_value: 0.7, negative_slope: 0.1, threshold: 0.2}
    - LeakyReLU
    - Flatten
    - Dense: {units: 5}
    - BatchNormalization: {scale: false}
    - ReLU
    - Flatten
    - Rescaling: {scale: 2}
""",
    "activations": activations(get_args(Activation)[:8]),
    "more activations": activations(get_args(Activation)[8:]),
}


def config(layers: str) -> Config:
    text = f"name: net\nseed: 5\nmodel:\n  layers:{layers}{END}"
    parsed = Config.model_validate(parse_document(text, "test.yaml").value)
    named = name_layers(parsed.model.layers)
    model = parsed.model.model_copy(update={"layers": named})
    return parsed.model_copy(update={"model": model})


@cache
def saved_network(layers: str, *, channels: int = 3) -> tuple[ModelFile, Network]:
    """Return a network whose probabilities differ from image to image."""
    from cnncli.backend.tensorflow.start import start
    from cnncli.modelfile.contents import Weight
    from cnncli.modelfile.file import ModelFile

    described = config(layers)
    shape = (*SHAPE[:2], channels)
    scale = Normalization((10.0, 120.0, 60.0)[:channels], (60.0, 50.0, 90.0)[:channels])
    network = start(described).build(described, shape, 3, scale)
    _set_weights(network, random_pixels(shape))
    weights = {
        layer.name: tuple(
            Weight(weight.name, tuple(weight.shape), np.asarray(weight).tobytes())
            for weight in layer.weights
            if weight.name != "seed_generator_state"
        )
        for layer in network.model.layers
    }
    names = ("cat", "dog", "größe, 大")
    saved = ModelFile(Path("net.h5"), described, names, shape, scale, {}, weights)
    return saved, network


def _set_weights(network: Network, pixels: np.ndarray) -> None:
    """Set all weights at random, and the last so that the classes are apart."""
    rng = np.random.default_rng(7)
    for weight in network.model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.name != "seed_generator_state":
            weight.assign(rng.normal(0, 0.6, weight.shape))
    features = network.activations(pixels)[-2]
    kernel = rng.normal(0, 1, (features.shape[1], 3))
    kernel /= (features @ kernel).std(axis=0)
    network.model.layers[-1].set_weights([kernel, -(features @ kernel).mean(axis=0)])


def random_pixels(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (20, *shape), dtype=np.uint8)


def written(
    saved: ModelFile, network: Network, name: str, path: Path, **options: Any
) -> Exported:
    from cnncli.export.export import export
    from cnncli.export.images import Tried

    pixels = random_pixels(saved.image_shape)
    images = Images(pixels, np.zeros(len(pixels), np.uint8), np.arange(len(pixels)))
    tried = Tried(images, "generated")
    return export(network, saved, FORMATS[name], tried, path, **options)
