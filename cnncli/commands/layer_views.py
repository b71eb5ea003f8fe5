"""The pictures of ``cnncli feature-maps``: maps, kernels, and what excites maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cnncli.commands.started import backend_started
from cnncli.errors import printable
from cnncli.system.columns import aligned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnncli.architecture import LayerRow
    from cnncli.architecture.receptive import Field
    from cnncli.data.images import Images
    from cnncli.explain.strongest import Strongest
    from cnncli.modelfile.file import ModelFile
    from cnncli.plots.feature_maps import Subject

_PATCHES = 9


class Drawn(NamedTuple):
    """What is shown of a model.

    Attributes:
        picture: The picture file's content.
        arrays: What is drawn in it, by name.
        table: What is printed.
    """

    picture: bytes
    arrays: dict[str, np.ndarray]
    table: str


class View(Protocol):
    """A way to look at a model."""

    @property
    def name(self) -> str:
        """What to call the picture."""

    def draw(self, picture_format: str) -> Drawn:
        """Draw the picture.

        Args:
            picture_format: "png", "svg" or "pdf".
        """


def _name(what: str, layers: Sequence[str], maps: Sequence[int] | None) -> str:
    """Return what to call a picture, one for each choice of layers and maps."""
    numbers = ["maps", *map(str, maps)] if maps is not None else []
    return "_".join([what, *layers, *numbers])


@dataclass(frozen=True)
class FeatureMapsView:
    """What layers make of images.

    Attributes:
        saved: The model.
        subjects: The images.
        rows: The layers.
        maps: The maps of each; None for all.
        named: The layers that were asked for by name.
        tag: A word for the images.
        tells: Whether to tell what the network takes them for.
    """

    saved: ModelFile
    subjects: Sequence[Subject]
    rows: Sequence[LayerRow]
    maps: tuple[int, ...] | None
    named: tuple[str, ...]
    tag: str
    tells: bool

    @property
    def name(self) -> str:
        """What to call the picture."""
        return _name(f"feature_maps_{self.tag}", self.named, self.maps)

    def draw(self, picture_format: str) -> Drawn:
        """Draw the picture."""
        import numpy as np

        from cnncli.architecture import INPUT_NAME
        from cnncli.experiment.memory import check_memory_to_predict
        from cnncli.explain.activations import layer_activations
        from cnncli.plots.feature_maps import LayerMaps, plot_feature_maps

        check_memory_to_predict(self.saved, batch_size=len(self.subjects))
        pixels = np.stack([subject.pixels for subject in self.subjects])
        with backend_started(self.saved.config) as backend:
            every = layer_activations(backend.load(self.saved), pixels)
        arrays = {
            row.name: every[row.name]
            if self.maps is None
            else every[row.name][..., self.maps]
            for row in self.rows
        }
        layers = [
            LayerMaps(row.name, row.type, arrays[row.name], self.maps or ())
            for row in self.rows
        ]
        title = self.subjects[0].name
        if len(self.subjects) > 1:
            title = f"{len(self.subjects)} images, each layer on one scale"
        picture = plot_feature_maps(
            self.subjects,
            layers,
            class_names=self.saved.class_names,
            title=title,
            picture_format=picture_format,
        )
        table = aligned([(name, str(given.shape)) for name, given in arrays.items()])
        if self.tells:
            *_, probabilities = every.values()
            table += f"\n{self._told(probabilities)}"
        given = pixels[0] if len(pixels) == 1 else pixels
        return Drawn(picture, {INPUT_NAME: given, **arrays}, table)

    def _told(self, probabilities: NDArray[np.float32]) -> str:
        """Return what the network takes each image for."""
        lines = []
        for subject, row in zip(self.subjects, probabilities, strict=True):
            name = printable(self.saved.class_names[int(row.argmax())])
            which = f"{printable(subject.name)} " if len(self.subjects) > 1 else ""
            lines.append(f"predicted: {which}{name}, {row.max():.4f}")
        return "\n".join(lines)


@dataclass(frozen=True)
class KernelsView:
    """The kernels of convolutions.

    Attributes:
        saved: The model.
        rows: The convolutions.
        maps: The maps whose kernels are wanted; None for all.
        named: The layers that were asked for by name.
    """

    saved: ModelFile
    rows: Sequence[LayerRow]
    maps: tuple[int, ...] | None
    named: tuple[str, ...]

    @property
    def name(self) -> str:
        """What to call the picture."""
        return _name("kernels", self.named, self.maps)

    def draw(self, picture_format: str) -> Drawn:
        """Draw the picture."""
        from cnncli.explain.kernels import find_kernels
        from cnncli.plots.kernels import plot_kernels

        found = find_kernels(self.saved, self.rows, self.maps)
        picture = plot_kernels(
            found,
            title=f"the kernels of {self.saved.config.name}",
            picture_format=picture_format,
        )
        table = [("kernels", "shape", "lowest", "highest")]
        table += [
            (
                kernels.key,
                str(kernels.values.shape),
                f"{kernels.values.min():.3f}",
                f"{kernels.values.max():.3f}",
            )
            for kernels in found
        ]
        arrays = {kernels.key: kernels.values for kernels in found}
        return Drawn(picture, arrays, aligned(table, right=(2, 3)))


@dataclass(frozen=True)
class StrongestView:
    """The patches of test images that excite a layer's maps most.

    Attributes:
        saved: The model.
        row: The layer.
        maps: The maps, or the units of a vector; None for all.
        data: Where the test images are, if not where the model's were.
    """

    saved: ModelFile
    row: LayerRow
    maps: tuple[int, ...] | None
    data: Path | None

    @property
    def name(self) -> str:
        """What to call the picture."""
        return _name("strongest", (self.row.name,), self.maps)

    def draw(self, picture_format: str) -> Drawn:
        """Draw the picture."""
        import numpy as np

        from cnncli.architecture.batches import PREDICTION_BATCH
        from cnncli.evaluation.images import load_evaluation_images
        from cnncli.experiment.memory import check_memory_to_predict
        from cnncli.explain.strongest import cut_patches, find_strongest
        from cnncli.plots.strongest import Excited, plot_strongest

        check_memory_to_predict(self.saved, batch_size=PREDICTION_BATCH)
        images, _ = load_evaluation_images(self.saved, "test", self.data)
        with backend_started(self.saved.config) as backend:
            found = find_strongest(
                backend.load(self.saved),
                None if self._what == "class" else self.row.name,
                images.pixels,
                self.maps,
                _PATCHES,
            )
        patches = cut_patches(found, images.pixels, self._field)
        picture = plot_strongest(
            [
                Excited(name, of_map, values.tolist())
                for name, of_map, values in zip(
                    self._names(found.maps), patches, found.values, strict=True
                )
            ],
            title=self._title(patches, len(images)),
            picture_format=picture_format,
        )
        arrays = {
            "maps": np.array(found.maps),
            "patches": patches,
            "values": found.values,
            "images": images.indices[found.images],
            "rows": found.rows,
            "columns": found.columns,
        }
        return Drawn(picture, arrays, self._table(found, images))

    def _title(self, patches: NDArray[np.float32], num_images: int) -> str:
        from cnncli.plots.strongest import MOST_MAPS

        num_maps, _, height, width, _ = patches.shape
        cut = f"patches of {height} x {width} pixels from " if self._field else ""
        logits = " (logits)" if self._what == "class" else ""
        first = f"; the first {MOST_MAPS} of {num_maps:,}"
        return (
            f"what excites {self.row.name} most{logits}: {cut}{num_images:,} test "
            f"images{first if num_maps > MOST_MAPS else ''}"
        )

    def _names(self, maps: Sequence[int]) -> list[str]:
        """Return what to call each map, or unit: those of the last layer are classes.

        Args:
            maps: Their numbers.
        """
        from cnncli.plots.fonts import class_labels

        if self._what != "class":
            return [f"{self._what} {number}" for number in maps]
        labels = class_labels(self.saved.class_names, 16)
        return [labels[number] for number in maps]

    @property
    def _what(self) -> str:
        if self.row.name == self.saved.config.model.layers[-1].name:
            return "class"
        return "map" if len(self.row.output_shape) == 3 else "unit"

    @property
    def _field(self) -> Field | None:
        """The receptive fields of the map's positions; None for a vector."""
        from cnncli.architecture.receptive import receptive_fields

        if len(self.row.output_shape) != 3:
            return None
        layers = self.saved.config.model.layers
        return receptive_fields(layers, self.saved.image_shape)[self.row.index]

    def _table(self, found: Strongest, images: Images) -> str:
        """Return for each map where it is highest, and how high."""
        rows = [(self._what, "highest", "test image", "its class", "row", "column")]
        for number, values, chosen, down, across in zip(
            found.maps,
            found.values,
            found.images,
            found.rows,
            found.columns,
            strict=True,
        ):
            place = ("-", "-", "-", "-")
            if values[0] != 0:
                label = int(images.labels[chosen[0]])
                name = printable(self.saved.class_names[label])
                place = (
                    f"{images.indices[chosen[0]]:,}",
                    name,
                    str(down[0]),
                    str(across[0]),
                )
            is_class = self._what == "class"
            what = printable(self.saved.class_names[number]) if is_class else number
            rows.append((str(what), f"{values[0]:.4g}", *place))
        shown = rows if self._field else [row[:4] for row in rows]
        numbers = () if self._what == "class" else (0,)
        return aligned(shown, right=(*numbers, 1, 2, 4, 5))
