"""``cnncli feature-maps``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.commands import offered
from cnncli.commands.heat_map_options import HeatMapOptions
from cnncli.commands.heat_maps import HeatMapView
from cnncli.commands.image_options import ImageOptions
from cnncli.commands.layer_choice import (
    choose_convolutions,
    choose_layers,
    choose_one,
)
from cnncli.commands.layer_views import FeatureMapsView, KernelsView, StrongestView
from cnncli.commands.options import (
    Counts,
    arrays_path,
    data_option,
    file_path,
    format_of,
    overwrite_option,
    picture_path,
)
from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.commands.layer_views import View

_MOST_IMAGES = 8
_EXCLUDED = {
    "--image": ("--index", "--data"),
    "--kernels": ("--index", "--data", "--image", "--grad-cam", "--occlusion"),
    "--strongest": ("--index", "--image", "--grad-cam", "--occlusion", "--kernels"),
}


@click.command("feature-maps")
@click.argument("model", type=file_path, required=False, metavar="MODEL")
@click.option(
    "--index",
    "indices",
    type=Counts(),
    metavar="N,N,...",
    help="Number of the test image, as in predictions.csv, or of several.  [default: "
    "the first]",
)
@data_option
@click.option(
    "--image",
    "images",
    type=file_path,
    multiple=True,
    metavar="FILE",
    help="An image file instead; repeatable.",
)
@click.option(
    "--grad-cam",
    is_flag=False,
    flag_value="",
    metavar="[CLASS]",
    shell_complete=offered.classes,
    help="Draw where the maps of a layer speak for a class, by name or number; without "
    "one, for the predicted class.",
)
@click.option(
    "--occlusion",
    is_flag=False,
    flag_value="",
    metavar="[CLASS]",
    shell_complete=offered.classes,
    help="Draw how far a class's logit falls where a patch hides the image.",
)
@click.option(
    "--kernels",
    is_flag=True,
    help="Draw the weights that the convolutions slide over their inputs.",
)
@click.option(
    "--strongest",
    is_flag=True,
    help="Draw for each map of a layer the patches of the test images that excite it "
    "most, as large as its receptive field.",
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    shell_complete=offered.layers,
    help="Draw this layer alone; repeatable. For --grad-cam and --strongest, their "
    "layer, by default the last convolution, with the activation after it, that has "
    "more than one position; for --strongest, without such a layer, the last.",
)
@click.option(
    "--maps",
    type=Counts(),
    metavar="N,N,...",
    help="Draw these maps, counted from 0, of each --layer or of what --strongest "
    "looks at.",
)
@click.option(
    "-o",
    "--out",
    type=picture_path,
    metavar="FILE",
    help="Picture to write, a .png, .svg or .pdf.  [default: beside the model file, "
    "feature_maps_<N or name>.png or grad_cam_<N or name>.png and the like]",
)
@click.option(
    "--arrays", type=arrays_path, metavar="FILE", help="Also write the arrays, as .npz."
)
@overwrite_option
def feature_maps(
    model: Path | None,
    indices: tuple[int, ...] | None,
    data: Path | None,
    images: tuple[Path, ...],
    grad_cam: str | None,
    occlusion: str | None,
    kernels: bool,
    strongest: bool,
    layers: tuple[str, ...],
    maps: tuple[int, ...] | None,
    out: Path | None,
    arrays: Path | None,
    overwrite: bool,
) -> None:
    """Draw what every layer of MODEL makes of an image, or of several.

    MODEL is a run folder or a model file. The image gets the model's own
    normalisation. Prints the shape of each layer's activation, and of an image file
    the predicted class with its probability.

    With --grad-cam or --occlusion, draws instead what in the image speaks for a class,
    beside it the same for the likeliest other class and for random weights. With
    --kernels or --strongest, draws what the layers look for, of no image in particular.

    \b
    Examples:
      cnncli feature-maps runs/fashion-mnist --index 3
      cnncli feature-maps runs/fashion-mnist --index 0,5,9 --layer cv1 -o maps.pdf
      cnncli feature-maps runs/fashion-mnist --image shoe.png --arrays shoe.npz
      cnncli feature-maps runs/fashion-mnist --layer cv1 --maps 0,3,7
      cnncli feature-maps runs/fashion-mnist --grad-cam --occlusion
      cnncli feature-maps runs/fashion-mnist --grad-cam Sneaker
      cnncli feature-maps runs/fashion-mnist --kernels --layer cv1
      cnncli feature-maps runs/fashion-mnist --strongest
    """
    from cnncli.explain.arrays import npz_bytes
    from cnncli.modelfile.file import open_model
    from cnncli.system.files import write_new_files

    _check_together(
        {
            "--index": indices is not None,
            "--data": data is not None,
            "--image": bool(images),
            "--grad-cam": grad_cam is not None,
            "--occlusion": occlusion is not None,
            "--kernels": kernels,
            "--strongest": strongest,
        }
    )
    heat = HeatMapOptions(grad_cam, occlusion, layers)
    saved = open_model(heat.checked(model))
    wanted = heat.resolve(saved)
    if maps is not None and (wanted or not (layers or strongest)):
        raise click.UsageError(
            "--maps needs --layer or --strongest, without --grad-cam or --occlusion"
        )
    view: View
    if kernels:
        rows = choose_convolutions(saved, layers, maps)
        view = KernelsView(saved, rows, maps, layers)
    elif strongest:
        view = StrongestView(saved, choose_one(saved, layers, maps), maps, data)
    else:
        rows = choose_layers(saved, layers, maps)
        look = ImageOptions(indices, data, images)
        subjects, tag = look.load(saved, most=1 if wanted else _MOST_IMAGES)
        view = (
            HeatMapView(saved, wanted, subjects[0], tag)
            if wanted
            else FeatureMapsView(
                saved, subjects, rows, maps, layers, tag, tells=bool(images)
            )
        )
    out = out or saved.path.parent / f"{view.name}.png"
    drawn = view.draw(format_of(out))
    contents: dict[Path, bytes | str] = {out: drawn.picture}
    if arrays is not None:
        contents[arrays] = npz_bytes(drawn.arrays)
    write_new_files(contents, overwrite=overwrite)
    click.echo(drawn.table)
    say(f"written: {out}{f' and {arrays}' if arrays else ''}")


def _check_together(given: Mapping[str, bool]) -> None:
    """Refuse options that exclude each other."""
    for option, others in _EXCLUDED.items():
        for other in others if given[option] else ():
            if given[other]:
                raise click.UsageError(f"{other} and {option} exclude each other")
