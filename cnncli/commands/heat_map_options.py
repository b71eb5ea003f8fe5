"""The options of ``cnncli feature-maps`` that ask for heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.errors import printable

if TYPE_CHECKING:
    from cnncli.modelfile.file import ModelFile

_MOST_NAMES = 12
"""How many names a message lists."""


@dataclass(frozen=True)
class HeatMapOptions:
    """The options that ask for heat maps.

    Attributes:
        grad_cam: The class after ``--grad-cam``; "" if none is, None without it.
        occlusion: The same of ``--occlusion``.
        layers: The layers after each ``--layer``.
    """

    grad_cam: str | None
    occlusion: str | None
    layers: tuple[str, ...]

    def checked(self, model: Path | None) -> Path:
        """Return the argument MODEL, once the options don't contradict each other.

        Args:
            model: The argument, which an option before it may have taken for a class.
        """
        given = [("--grad-cam", self.grad_cam), ("--occlusion", self.occlusion)]
        words = [(option, word) for option, word in given if word]
        if model is None:
            taken = [f"{option} took {word!r}" for option, word in words]
            hint = f"; {taken[0]} for a class, so put MODEL first" if taken else "."
            raise click.UsageError(f"Missing argument 'MODEL'{hint}")
        if self.layers and self.grad_cam is None and self.occlusion is not None:
            raise click.UsageError("--layer is not for --occlusion")
        if len(self.layers) > 1 and self.grad_cam is not None:
            raise click.UsageError("--grad-cam is of one layer; name one with --layer")
        if len({word for _, word in words}) > 1:
            raise click.UsageError(
                "--grad-cam and --occlusion are drawn for one class; name it once"
            )
        return model

    def resolve(self, saved: ModelFile) -> HeatMaps | None:
        """Return what they ask of a model; None if that is no heat map.

        Raises:
            click.UsageError: The model has no such class or layer, or none that fits.
        """
        if self.grad_cam is None and self.occlusion is None:
            return None
        option = "--grad-cam" if self.grad_cam else "--occlusion"
        word = self.grad_cam or self.occlusion
        return HeatMaps(
            _class_number(option, word, saved.class_names) if word else None,
            None if self.grad_cam is None else _maps_layer(saved, self.layers),
            is_default_layer=not self.layers,
            with_occlusion=self.occlusion is not None,
        )


@dataclass(frozen=True)
class HeatMaps:
    """The heat maps to draw.

    Attributes:
        class_number: The class to explain; None for the predicted one.
        layer: The layer for Grad-CAM, if that is wanted.
        is_default_layer: Whether nobody has chosen that layer.
        with_occlusion: Whether occlusion is wanted.
    """

    class_number: int | None
    layer: str | None
    is_default_layer: bool
    with_occlusion: bool

    @property
    def batch_size(self) -> int:
        """How many images are predicted at once."""
        from cnncli.explain.occlusion import PLACES

        return PLACES if self.with_occlusion else 1

    def file_name(self, tag: str) -> str:
        """Return the picture's name, one for each choice of class and layer.

        Args:
            tag: A word for the image.
        """
        words = ["grad_cam"] if self.layer else []
        words += ["occlusion"] if self.with_occlusion else []
        words.append(tag)
        if self.class_number is not None:
            words.append(f"class_{self.class_number}")
        if self.layer and not self.is_default_layer:
            words.append(self.layer)
        return "_".join(words)


def _class_number(option: str, word: str, class_names: Sequence[str]) -> int:
    """Return the class of a name, or else of a number."""
    from cnncli.config.problems import quoted, suggestion

    if word in class_names:
        return class_names.index(word)
    numbers = [str(number) for number in range(len(class_names))]
    if word in numbers:
        return numbers.index(word)
    raise click.BadParameter(
        f"{quoted(word)} is neither a class, {listed(class_names)}, nor a number from "
        f"0 to {numbers[-1]}{printable(suggestion(word, class_names))}",
        param_hint=f"'{option}'",
    )


def _maps_layer(saved: ModelFile, names: tuple[str, ...]) -> str:
    """Return the layer for Grad-CAM, whose maps must have more than one position.

    Args:
        saved: The model.
        names: The layer that was asked for, if any.
    """
    from cnncli.architecture import trace_network
    from cnncli.architecture.receptive import last_maps, num_positions
    from cnncli.config.problems import quoted, suggestion

    layers = saved.config.model.layers
    default = last_maps(layers, saved.image_shape)
    if default is None:
        raise click.UsageError(
            "--grad-cam needs a layer that gives maps of more than one position, and "
            "the network has none; --occlusion takes any network"
        )
    if not names:
        return default.name
    (name,) = names
    rows = {row.name: row for row in trace_network(layers, saved.image_shape)}
    fit = [row.name for row in rows.values() if num_positions(row) > 1]
    if name not in rows:
        message = f"{quoted(name)} is no layer of the network"
    elif name not in fit:
        message = f"{name!r} gives {rows[name].output_shape}, and not a map"
        if num_positions(rows[name]):
            message += " of more than one position"
    else:
        return name
    raise click.BadParameter(
        f"{message}; choose from {listed(fit)}{suggestion(name, fit)}",
        param_hint="'--layer'",
    )


def listed(names: Sequence[str]) -> str:
    """Return names as a list that a message can bear."""
    from cnncli.config.problems import shortened

    shown = [printable(shortened(name)) for name in names[:_MOST_NAMES]]
    return ", ".join(shown + ["..."] * (len(names) > _MOST_NAMES))
