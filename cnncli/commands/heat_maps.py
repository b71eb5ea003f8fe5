"""Heat maps of an image for ``cnncli feature-maps``: Grad-CAM and occlusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnncli.commands.layer_views import Drawn
from cnncli.commands.started import backend_started
from cnncli.errors import DataError, printable
from cnncli.system.columns import aligned

if TYPE_CHECKING:
    import numpy as np

    from cnncli.commands.heat_map_options import HeatMaps
    from cnncli.explain.grad_cam import GradCam
    from cnncli.explain.heat_maps import Explanation, Method
    from cnncli.explain.occlusion import Occlusion
    from cnncli.modelfile.file import ModelFile
    from cnncli.plots.feature_maps import Subject

_NETWORKS = ("trained", "trained", "random weights")
"""What network each of an explanation's heat maps is of."""


@dataclass(frozen=True)
class HeatMapView:
    """What in an image speaks for a class.

    Attributes:
        saved: The model.
        wanted: What to draw.
        subject: The image.
        tag: A word for it.
    """

    saved: ModelFile
    wanted: HeatMaps
    subject: Subject
    tag: str

    @property
    def name(self) -> str:
        """What to call the picture."""
        return self.wanted.file_name(self.tag)

    def draw(self, picture_format: str) -> Drawn:
        """Draw the picture."""
        from cnncli.architecture import INPUT_NAME
        from cnncli.experiment.memory import check_memory_to_predict
        from cnncli.explain.heat_maps import explain

        saved, wanted, pixels = self.saved, self.wanted, self.subject.pixels
        check_memory_to_predict(saved, batch_size=wanted.batch_size)
        methods: list[Method] = []
        if wanted.layer is not None:
            methods.append(_grad_cam(saved, wanted.layer))
        if wanted.with_occlusion:
            methods.append(_occlusion(saved, pixels))
        with backend_started(saved.config) as backend:
            # Built first, for the weights that training began with.
            chance = backend.build(
                saved.config,
                saved.image_shape,
                len(saved.class_names),
                saved.normalization,
            )
            trained = backend.load(saved)
            explanation = explain(trained, chance, pixels, methods, wanted.class_number)
        return Drawn(
            _picture(saved, self.subject, methods, explanation, picture_format),
            {INPUT_NAME: pixels, **_arrays(methods, explanation)},
            _table(saved, methods, explanation),
        )


def _grad_cam(saved: ModelFile, layer: str) -> GradCam:
    from cnncli.architecture.receptive import centres_of
    from cnncli.explain.grad_cam import GradCam

    layers = saved.config.model.layers
    return GradCam(layer, centres_of(layers, saved.image_shape, layer))


def _occlusion(saved: ModelFile, pixels: np.ndarray) -> Occlusion:
    """Return an occlusion in the mean colour of the training images, if there are any.

    The mean is neither there nor not there: black would hide nothing where the image
    is black, such as between the legs of trousers.
    """
    from cnncli.evaluation.images import load_evaluation_images
    from cnncli.explain.occlusion import Occlusion

    try:
        images, _ = load_evaluation_images(saved, "train", None)
    except DataError:
        # An image file can be looked at without any data set.
        return Occlusion.by_mean(pixels[None], "this image")
    return Occlusion.by_mean(images.pixels, "the training images")


def _picture(
    saved: ModelFile,
    subject: Subject,
    methods: Sequence[Method],
    explanation: Explanation,
    picture_format: str,
) -> bytes:
    from cnncli.plots.fonts import class_labels
    from cnncli.plots.heat_maps import Panel, PanelRow, plot_heat_maps

    names = class_labels(saved.class_names)
    rows = []
    for method, maps in zip(methods, explanation.heat_maps, strict=True):
        panels = [
            Panel(
                names[found.class_number],
                f"{said} {found.probability:.3f}",
                found.values,
                found.finding,
            )
            for said, found in zip(
                ("probability", "likeliest other:", "random weights:"),
                maps,
                strict=True,
            )
        ]
        rows.append(
            PanelRow(
                method.name, method.heading, *method.example(subject.pixels), panels
            )
        )
    name = names[explanation.class_number]
    means = ", ".join(method.name for method in methods)
    return plot_heat_maps(
        subject.pixels,
        rows,
        title=f"{subject.name}; what speaks for {name}: {means}",
        picture_format=picture_format,
    )


def _arrays(
    methods: Sequence[Method], explanation: Explanation
) -> dict[str, np.ndarray]:
    """Return the maps by names such as "grad_cam_5" and "grad_cam_5_random"."""
    return {
        f"{method.key}_{found.class_number}{suffix}": found.values
        for method, maps in zip(methods, explanation.heat_maps, strict=True)
        for suffix, found in zip(("", "", "_random"), maps, strict=True)
    }


def _table(
    saved: ModelFile, methods: Sequence[Method], explanation: Explanation
) -> str:
    """Return the maps as a table: what each is of, and where it is highest."""
    rows = [
        ("map", "class", "network", "probability", "logit", "lowest", "highest", "at")
    ]
    for method, maps in zip(methods, explanation.heat_maps, strict=True):
        rows += [
            (
                method.name,
                printable(saved.class_names[found.class_number]),
                network,
                f"{found.probability:.4f}",
                f"{found.logit:.3f}",
                f"{found.values.min():.3g}",
                f"{found.values.max():.3g}",
                found.finding or "row {}, column {}".format(*found.peak),
            )
            for network, found in zip(_NETWORKS, maps, strict=True)
        ]
    return aligned(rows, right=(3, 4, 5, 6))
