"""Grad-CAM and occlusion: networks whose answers are known, and what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from cnncli.architecture.receptive import centres_of, last_maps
from cnncli.config.document import parse_document
from cnncli.config.schema import Config
from cnncli.data.normalization import Normalization
from cnncli.errors import TrainingError
from cnncli.explain.grad_cam import GradCam, spread, weighted
from cnncli.explain.heat_maps import HeatMap, explain
from cnncli.explain.occlusion import Occlusion

if TYPE_CHECKING:
    from cnncli.backend.interface import ExplainableNetwork

SIZE = 28
CONV = "Conv2D: {name: conv, filters: 1, kernel_size: 1, activation: relu}"
ENDING = "Flatten, Dense: {name: output, units: 2, activation: softmax}"
POOLED = "GlobalAveragePooling2D, Dense: {name: output, units: 2, activation: softmax}"


def network(
    layers: str, *, precision: str = "float32"
) -> tuple[Config, ExplainableNetwork]:
    """Build a network for images of SIZE x SIZE pixels; the last layer has 2 units."""
    import keras

    from cnncli.backend.build import build_model, measure_functions
    from cnncli.backend.tensorflow.network import TensorFlowNetwork
    from cnncli.config.layers import name_layers

    text = f"model: {{layers: [{layers}]}}\ntraining: {{precision: {precision}}}\n"
    config = Config.model_validate(parse_document(text, "test.yaml").value)
    named = name_layers(config.model.layers)
    config = config.model_copy(
        update={"model": config.model.model_copy(update={"layers": named})}
    )
    keras.utils.set_random_seed(7)
    model = build_model(config, (SIZE, SIZE, 1))
    scale = Normalization.divide_by(255, channels=1)
    measures = measure_functions(config, 2)
    return config, TensorFlowNetwork(model, scale, measures, devices=(None,))


def grad_cam(config: Config, name: str | None = None) -> GradCam:
    """Return Grad-CAM of a layer, or of the default one."""
    layers, shape = config.model.layers, (SIZE, SIZE, 1)
    default = last_maps(layers, shape)
    assert default
    name = name or default.name
    return GradCam(name, centres_of(layers, shape, name))


def set_weights(built: ExplainableNetwork, **weights: Sequence[Any]) -> None:
    """Give layers their weights, with broadcasting."""
    for name, values in weights.items():
        layer = built.model.get_layer(name)
        shapes = [weight.shape for weight in layer.get_weights()]
        layer.set_weights(
            [
                np.broadcast_to(np.asarray(value, np.float32), shape)
                for value, shape in zip(values, shapes, strict=True)
            ]
        )


def noise(seed: int = 0) -> Any:
    """Return an image of noise."""
    return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 1), np.uint8)


def bright(row: int, column: int, side: int = 1) -> Any:
    """Return a black image with a white square."""
    image = np.zeros((SIZE, SIZE, 1), np.uint8)
    image[row : row + side, column : column + side] = 255
    return image


def centre_of_mass(values: Any) -> tuple[float, float]:
    rows, columns = np.indices(values.shape)
    total = values.sum()
    return (rows * values).sum() / total, (columns * values).sum() / total


ENDINGS = {
    "a dense layer": ENDING,
    "an activation": "Flatten, Dense: {units: 2}, Activation: {activation: softmax}",
    "no weights": "Conv2D: {filters: 2, kernel_size: 3}, GlobalMaxPooling2D, "
    "Activation: {activation: softmax}",
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_logits_are_what_the_softmax_gets(ending: str, precision: str) -> None:
    """Normalisation by moving statistics and no dropout, as when it predicts."""
    start = "BatchNormalization, Dropout: {rate: 0.9}, RandomFlip, "
    _, built = network(start + ENDINGS[ending], precision=precision)
    images = np.stack([noise(seed) for seed in range(70)])  # more than one batch
    logits = built.logits(images).astype(np.float64)
    assert logits.dtype == np.float64
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = built.predict(images, np.zeros(70, np.uint8)).probabilities
    tolerance = 1e-6 if precision == "float32" else 0.01
    np.testing.assert_allclose(
        shares / shares.sum(axis=1, keepdims=True), expected, atol=tolerance
    )


def test_logits_leave_the_model_as_it_is() -> None:
    _, built = network(ENDING)
    built.logits(noise()[np.newaxis])
    assert built.model.layers[-1].activation.__name__ == "softmax"


def test_a_network_that_is_sure_has_a_map() -> None:
    """Through its softmax, which is saturated, all gradients are zero."""
    config, built = network(f"{CONV}, {ENDING}")
    random = np.random.default_rng(3)
    kernel = random.uniform(0, 1, (SIZE * SIZE, 2)) * [1, -1]
    set_weights(built, conv=(1, 0), output=(kernel, 0))
    (modest,) = grad_cam(config).maps(built, noise(), [0])
    set_weights(built, output=(1000 * kernel, 0))
    predicted = built.predict(noise()[np.newaxis], np.zeros(1, np.uint8))
    assert predicted.probabilities.tolist() == [[1, 0]]
    (sure,) = grad_cam(config).maps(built, noise(), [0])
    assert modest.max() > 0
    np.testing.assert_allclose(sure, 1000 * modest, rtol=1e-4)


def test_gradients_are_those_of_the_logit() -> None:
    """What is known of the layers after the maps: a mean, then a weight."""
    config, built = network(f"{CONV}, {POOLED}")
    set_weights(built, conv=(2, 0), output=([[3, -5]], 0))
    image = noise()
    maps, gradients = built.logit_gradients(image[np.newaxis], "conv", 1)
    np.testing.assert_allclose(maps, 2 * (image[np.newaxis] / 255), rtol=1e-5)
    np.testing.assert_allclose(gradients, np.full(maps.shape, -5 / SIZE**2), rtol=1e-5)
    (values,) = grad_cam(config).maps(built, image, [0])
    np.testing.assert_allclose(values, 6 * (image[:, :, 0] / 255) / SIZE**2, rtol=1e-5)


def test_maps_are_weighted_by_their_mean_gradients() -> None:
    activation = np.array([[[1.0, 1.0]], [[0.0, 4.0]], [[2.0, 0.0]]])
    gradient = np.array([[[3.0, -1.0]], [[0.0, -1.0]], [[0.0, -1.0]]])
    assert weighted(activation, gradient).tolist() == [[0], [0], [2]]


def test_sums_that_cancel_are_no_evidence() -> None:
    activation = np.tile([1.0, 1 + 1e-7], (2, 2, 1))
    gradient = np.broadcast_to([-1.0, 1.0], (2, 2, 2))
    assert not weighted(activation, gradient).any()
    assert weighted(activation, -gradient + 1e-3).all()


def delta(size: int) -> Any:
    """Return a kernel that takes the middle of its window."""
    kernel = np.zeros((size, size, 1, 1))
    kernel[size // 2, size // 2] = 1
    return kernel


@pytest.mark.parametrize(
    ("layers", "weights", "square", "centre"),
    [
        (f"AveragePooling2D: {{pool_size: 4}}, {CONV}", 1, (8, 16, 4), (9.5, 17.5)),
        (CONV.replace("1, a", "9, a"), delta(9), (6, 21, 1), (6, 21)),
        (CONV.replace("1, a", "9, padding: same, a"), delta(9), (1, 26, 1), (1, 26)),
        (
            CONV.replace("1, a", "3, strides: 2, padding: same, a"),
            delta(3),
            (7, 13, 1),
            (7, 13),
        ),
    ],
    ids=["pooled", "no padding", "padding", "strides"],
)
def test_a_bright_cell_is_found_where_it_is(
    layers: str, weights: Any, square: tuple[int, int, int], centre: tuple[float, float]
) -> None:
    config, built = network(f"{layers}, {POOLED}")
    set_weights(built, conv=(weights, 0), output=([[1, -1]], 0))
    (values,) = grad_cam(config, "conv").maps(built, bright(*square), [0])
    assert values.shape == (SIZE, SIZE)
    assert centre_of_mass(values) == pytest.approx(centre, abs=1e-6)


def test_a_map_goes_on_unchanged_beyond_its_outermost_centres() -> None:
    values = np.array([[1.0, 3.0]])
    pixels = spread(values, ((0.5,), (0.5, 2.5)), np.zeros((2, 4, 1), np.uint8))
    assert pixels.tolist() == [[1, 1.5, 2.5, 3]] * 2


@pytest.mark.parametrize(
    ("shape", "size", "places"),
    [
        ((28, 28, 1), (7, 7), (12, 12)),
        ((64, 64, 3), (16, 16), (12, 12)),
        ((224, 120, 3), (56, 30), (12, 12)),
        ((8, 5, 1), (2, 1), (7, 5)),
        ((1, 50, 1), (1, 12), (1, 12)),
        ((1, 1, 1), (1, 1), (1, 1)),
    ],
    ids=str,
)
def test_the_patch_suits_the_image(
    shape: tuple[int, ...], size: tuple[int, int], places: tuple[int, int]
) -> None:
    """Any image takes some 144 predictions, and no pixel is left out."""
    occlusion = Occlusion.by_mean(np.zeros((1, *shape), np.uint8), "this image")
    assert occlusion.size == size
    assert (len(occlusion.rows), len(occlusion.columns)) == places
    hidden = np.zeros(shape[:2], int)
    for row in occlusion.rows:
        for image in occlusion.occluded(np.ones(shape, np.uint8), row):
            hidden += image[:, :, 0] == 0
    assert hidden.min() > 0
    assert hidden.sum() == np.prod(size) * np.prod(places)


def test_the_patch_has_the_mean_colour_and_it_says_so() -> None:
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[0] = (10, 21, 33)
    occlusion = Occlusion.by_mean(images, "the training images")
    assert occlusion.heading == (
        "how far the logit falls where a patch of 1 x 1 pixels hides the image, at "
        "4 x 4 places; the patch has colour 5, 10, 16, the mean of the training images"
    )
    name, note, image = occlusion.example(images[0])
    assert (name, note) == ("image", "with one of 16 patches")
    assert np.argwhere((image != images[0]).all(axis=2)).tolist() == [[2, 2]]


@dataclass
class Sums:
    """A network with logits that are sums of pixels, and a record of its batches."""

    weights: Any
    batches: list[int] = field(default_factory=list)

    def logits(self, pixels: Any) -> Any:
        self.batches.append(len(pixels))
        return np.tensordot(pixels / 255, self.weights, 3).astype(np.float32)


def sums(weights: Any) -> ExplainableNetwork:
    """Return a network with logits that are sums of pixels with weights."""
    return cast("ExplainableNetwork", Sums(weights))


def black(image: Any) -> Occlusion:
    return Occlusion.by_mean(np.zeros((1, *image.shape), np.uint8), "black")


@pytest.mark.parametrize("place", [(13, 6), (0, 0), (27, 5)])
def test_occlusion_finds_the_pixel_that_counts(place: tuple[int, int]) -> None:
    weights = np.zeros((SIZE, SIZE, 1, 2))
    weights[(*place, 0)] = (4, -2)
    image = bright(*place)
    first, second = black(image).maps(sums(weights), image, [0, 1])
    assert first[place] == first.max() == pytest.approx(4)
    assert second[place] == second.min() == pytest.approx(-2)
    rows, columns = np.nonzero(first)
    assert abs(rows - place[0]).max() <= 6
    assert abs(columns - place[1]).max() <= 6


def test_occlusion_predicts_a_row_of_places_at_once() -> None:
    counted = Sums(np.ones((SIZE, SIZE, 1, 2)))
    black(noise()).maps(cast("ExplainableNetwork", counted), noise(), [0])
    assert counted.batches == [1] + [12] * 12


def test_rounding_is_no_evidence() -> None:
    """Otherwise its pattern would be drawn as strong as any other."""
    weights = np.full((SIZE, SIZE, 1, 2), 1e-3)
    weights[0, 0] = 100
    image = bright(0, 0)
    image[5:] = 1
    (values,) = black(image).maps(sums(weights), image, [0])
    assert not values[8:].any()
    assert values.max() == pytest.approx(100)


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        (np.zeros((2, 2)), "zero everywhere"),
        (np.full((2, 2), 0.25), "0.25 everywhere"),
        (np.full((2, 2), -3.0), "-3 everywhere"),
        (np.array([[0.0, 1e-9]]), ""),
    ],
)
def test_a_map_that_shows_nothing_is_put_into_words(values: Any, finding: str) -> None:
    assert HeatMap(0, 1.0, 0.5, values).finding == finding


def test_a_class_that_nothing_speaks_for_has_a_map_of_zeros() -> None:
    config, built = network(f"{CONV}, {POOLED}")
    set_weights(built, conv=(1, 0), output=([[1, -1]], 0))
    explanation = explain(built, built, noise(), [grad_cam(config)], 1)
    ((wanted, other, _),) = explanation.heat_maps
    assert (wanted.class_number, wanted.finding) == (1, "zero everywhere")
    assert (other.class_number, other.finding) == (0, "")


def test_a_map_stands_beside_the_likeliest_other_and_one_of_chance() -> None:
    weights = np.zeros((SIZE, SIZE, 1, 3))
    weights[9, 9] = (1, 5, 3)
    trained, chance = sums(weights), sums(np.ones((SIZE, SIZE, 1, 3)))
    image = bright(9, 9)
    methods = [black(image)] * 2
    explanation = explain(trained, chance, image, methods)
    assert explanation.class_number == 1
    assert len(explanation.heat_maps) == 2
    first, second, random = explanation.heat_maps[0]
    assert [first.class_number, second.class_number, random.class_number] == [1, 2, 1]
    assert [first.logit, second.logit, random.logit] == [5, 3, 1]
    shares = np.exp([1, 5, 3])
    assert first.probability == pytest.approx(shares[1] / shares.sum())
    assert random.probability == pytest.approx(1 / 3)
    assert [first.peak, first.values.max()] == [(9, 9), 5]
    assert second.values.max() == 3
    asked = explain(trained, chance, image, methods, 0).heat_maps[0]
    assert [found.class_number for found in asked] == [0, 1, 0]


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(weight: float) -> None:
    weights = np.full((SIZE, SIZE, 1, 2), weight)
    image = bright(0, 0, SIZE)
    with pytest.raises(TrainingError) as caught:
        explain(sums(weights), sums(weights), image, [black(image)])
    assert str(caught.value) == (
        "the network gives values that are not finite: the network's weights or its "
        "normalisation are far too large; train it again with a lower learning rate"
    )


def test_gradients_that_are_not_finite_are_refused() -> None:
    config, built = network(f"{CONV}, {POOLED}")
    set_weights(built, conv=(1, 0), output=([[np.inf, 1]], 0))
    with pytest.raises(TrainingError, match=r"^layer 'conv' gives values that are not"):
        grad_cam(config).maps(built, noise(), [0])
