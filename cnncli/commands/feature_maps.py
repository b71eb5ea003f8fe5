"""``cnncli feature-maps``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.commands.heat_map_options import HeatMapOptions, listed
from cnncli.commands.heat_maps import Drawn, draw_heat_maps
from cnncli.commands.options import Counts, data_option, file_path, overwrite_option
from cnncli.commands.started import backend_started
from cnncli.errors import printable
from cnncli.system.columns import aligned
from cnncli.system.terminal import say

if TYPE_CHECKING:
    import numpy as np

    from cnncli.architecture import LayerRow
    from cnncli.modelfile.file import ModelFile


@click.command("feature-maps")
@click.argument("model", type=file_path, required=False, metavar="MODEL")
@click.option(
    "--index",
    type=click.IntRange(min=0),
    metavar="N",
    help="Number of the test image, from 0.  [default: 0]",
)
@data_option
@click.option("--image", type=file_path, metavar="FILE", help="An image file instead.")
@click.option(
    "--grad-cam",
    is_flag=False,
    flag_value="",
    metavar="[CLASS]",
    help="Draw where the maps of a layer speak for a class, by name or number; without "
    "one, for the predicted class.",
)
@click.option(
    "--occlusion",
    is_flag=False,
    flag_value="",
    metavar="[CLASS]",
    help="Draw how far a class's logit falls where a patch hides the image.",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    help="Draw this layer alone; repeatable. For --grad-cam, its layer, by default the "
    "last convolution, with the activation after it, that has more than one position.",
)
@click.option(
    "--maps",
    type=Counts(),
    metavar="N,N,...",
    help="Draw these maps of each --layer, counted from 0.",
)
@click.option(
    "-o",
    "--out",
    type=file_path,
    metavar="FILE",
    help="PNG to write.  [default: beside the model file, feature_maps_<N or name>.png "
    "or grad_cam_<N or name>.png and the like]",
)
@click.option(
    "--arrays", type=file_path, metavar="FILE", help="Also write the arrays, as .npz."
)
@overwrite_option
def feature_maps(
    model: Path | None,
    index: int | None,
    data: Path | None,
    image: Path | None,
    grad_cam: str | None,
    occlusion: str | None,
    layers: tuple[str, ...],
    maps: tuple[int, ...] | None,
    out: Path | None,
    arrays: Path | None,
    overwrite: bool,
) -> None:
    """Draw what every layer of MODEL makes of one image.

    MODEL is a run folder or a model file. The image gets the model's own
    normalisation. Prints the shape of each layer's activation, and of an image file
    the predicted class with its probability.

    With --grad-cam or --occlusion, draws instead what in the image speaks for a class,
    beside it the same for the likeliest other class and for random weights.

    \b
    Examples:
      cnncli feature-maps runs/fashion-mnist --index 3
      cnncli feature-maps runs/fashion-mnist --image shoe.png --arrays shoe.npz
      cnncli feature-maps runs/fashion-mnist --layer cv1 --maps 0,3,7
      cnncli feature-maps runs/fashion-mnist --grad-cam --occlusion
      cnncli feature-maps runs/fashion-mnist --grad-cam Sneaker
    """
    from cnncli.architecture import INPUT_NAME
    from cnncli.experiment.memory import check_memory_to_predict
    from cnncli.explain.arrays import npz_bytes
    from cnncli.modelfile.file import open_model
    from cnncli.system.files import write_new_files

    for option, given in (("--index", index), ("--data", data)):
        if image is not None and given is not None:
            raise click.UsageError(f"{option} and --image exclude each other")
    options = HeatMapOptions(grad_cam, occlusion, layers)
    saved = open_model(options.checked(model))
    wanted = options.resolve(saved)
    if maps is not None and (wanted or not layers):
        raise click.UsageError(
            "--maps needs --layer, without --grad-cam or --occlusion"
        )
    chosen = _chosen(saved, layers, maps)
    check_memory_to_predict(saved, batch_size=wanted.batch_size if wanted else 1)
    pixels, subject, label = _load_image(saved, index or 0, data, image)
    title = _title(saved, subject, label)
    drawn = (
        draw_heat_maps(saved, wanted, pixels, title)
        if wanted
        else _draw_feature_maps(saved, pixels, title, chosen, maps, tell=label is None)
    )
    tag = image.stem if image else str(index or 0)
    name = wanted.file_name(tag) if wanted else f"feature_maps_{tag}.png"
    out = out or saved.path.parent / name
    contents: dict[Path, bytes | str] = {out: drawn.picture}
    if arrays is not None:
        contents[arrays] = npz_bytes({INPUT_NAME: pixels, **drawn.arrays})
    write_new_files(contents, overwrite=overwrite)
    click.echo(drawn.table)
    say(f"written: {out}{f' and {arrays}' if arrays else ''}")


def _load_image(
    saved: ModelFile, index: int, data: Path | None, path: Path | None
) -> tuple[np.ndarray, str, int | None]:
    """Return the pixels, what to call the image, and its label if it has one."""
    from cnncli.data.pictures import read_picture
    from cnncli.errors import DataError
    from cnncli.evaluation.images import load_evaluation_images

    if path is not None:
        pixels, changes = read_picture(path, saved.image_shape)
        for change in changes:
            say(f"note: {path} was {change}")
        return pixels, path.name, None
    images, _ = load_evaluation_images(saved, "test", data)
    if index >= len(images):
        raise DataError(
            f"--index {index}: there are {len(images):,} test images, 0 to "
            f"{len(images) - 1}"
        )
    return images.pixels[index], f"test image {index}", int(images.labels[index])


def _title(saved: ModelFile, subject: str, label: int | None) -> str:
    """Return the figure's title; warn of what no font has."""
    from cnncli.plots.fonts import class_labels, font_warning

    names = saved.class_names
    if warning := font_warning([subject, *names]):
        say(f"warning: {warning}")
    return subject if label is None else f"{subject}: {class_labels(names, 80)[label]}"


def _chosen(
    saved: ModelFile, names: tuple[str, ...], maps: tuple[int, ...] | None
) -> tuple[LayerRow, ...]:
    """Return the layers to draw, in the network's order; all if none is named."""
    from cnncli.architecture import trace_network
    from cnncli.config.problems import quoted, suggestion

    rows = trace_network(saved.config.model.layers, saved.image_shape)
    known = [row.name for row in rows]
    for name in names:
        if name not in known:
            raise click.BadParameter(
                f"{quoted(name)} is no layer of the network; choose from "
                f"{listed(known)}{suggestion(name, known)}",
                param_hint="'--layer'",
            )
    chosen = tuple(row for row in rows if row.name in (names or known))
    for row in chosen if maps else ():
        count = row.output_shape[2] if len(row.output_shape) == 3 else 0
        if max(maps or ()) >= count:
            several = f"{count} maps, 0 to {count - 1}"
            has = {0: "no maps", 1: "1 map, 0"}.get(count, several)
            raise click.BadParameter(
                f"layer {row.name!r} has {has}", param_hint="'--maps'"
            )
    return chosen


def _draw_feature_maps(
    saved: ModelFile,
    pixels: np.ndarray,
    title: str,
    chosen: tuple[LayerRow, ...],
    maps: tuple[int, ...] | None,
    *,
    tell: bool,
) -> Drawn:
    """Draw what layers make of an image; perhaps tell what the last of them says."""
    from cnncli.explain.activations import layer_activations
    from cnncli.plots.feature_maps import LayerMaps, plot_feature_maps

    with backend_started(saved.config) as backend:
        every = layer_activations(backend.load(saved), pixels)
    activations = {
        row.name: every[row.name] if maps is None else every[row.name][..., maps]
        for row in chosen
    }
    layers = [
        LayerMaps(row.name, row.type, activations[row.name], maps or ())
        for row in chosen
    ]
    picture = plot_feature_maps(
        pixels, layers, class_names=saved.class_names, title=title
    )
    shapes = [(name, str(given.shape)) for name, given in activations.items()]
    table = aligned(shapes)
    if tell:
        *_, probabilities = every.values()
        name = printable(saved.class_names[int(probabilities.argmax())])
        table += f"\npredicted: {name}, {probabilities.max():.4f}"
    return Drawn(picture, activations, table)
