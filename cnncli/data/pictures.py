"""Reading one picture of unknown origin: perhaps no picture, damaged, or a bomb."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from cnncli.data.streams import open_stream, read_up_to
from cnncli.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

MAX_BYTES = 2**27
MAX_PIXELS = 50_000_000
# Not what would start another program, such as EPS.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")


def read_picture(
    path: Path, shape: tuple[int, ...]
) -> tuple[NDArray[np.uint8], list[str]]:
    """Read a picture as a model takes images.

    It is turned upright as its camera noted, and made grey where the model takes grey.

    Args:
        path: A file in one of ``FORMATS``; of an animation, the first frame is taken.
        shape: (height, width, channels) that the model takes; 1 channel is grey.

    Returns:
        The pixels in that shape, uint8, and what had to be done to them.

    Raises:
        DataError: The file isn't such a picture, is damaged, or is too large.
    """
    from PIL import Image

    height, width, channels = shape
    image, notes = _read(path, "L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
        notes.append(f"{path} was resized to {width} x {height} pixels")
    return np.asarray(image, np.uint8).reshape(shape), notes


def read_grey_picture(path: Path) -> tuple[NDArray[np.uint8], list[str]]:
    """Read a picture in grey, of its own size.

    The arguments and errors are those of ``read_picture``.

    Returns:
        (height, width) uint8, and what had to be done to the picture.
    """
    image, notes = _read(path, "L")
    return np.asarray(image, np.uint8), notes


def _read(path: Path, mode: str) -> tuple[Image.Image, list[str]]:
    """Read a picture, upright, in a mode of Pillow's."""
    from PIL import Image, ImageOps

    with open_stream(path) as stream:
        content = read_up_to(stream, MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DataError(f"{path}: a picture may have at most {MAX_BYTES:,} bytes")
    notes = []
    with warnings.catch_warnings(), _refusing(path):
        warnings.simplefilter("ignore")  # what matters is raised
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
        if opened.width * opened.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if getattr(opened, "is_animated", False):
            notes.append(f"of {path} only the first frame is taken")
        upright = _in_8_bits(ImageOps.exif_transpose(opened))
        return upright.convert(mode), notes


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Say in one way what Pillow says in many."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except UnidentifiedImageError as error:
        raise DataError(
            f"{path}: not a picture in a format that is read: {', '.join(FORMATS)}"
        ) from error
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{path}: a picture may have at most {MAX_PIXELS:,} pixels; make it smaller"
        ) from error
    except Exception as error:  # a decoder may raise anything
        raise DataError(f"{path}: the picture can't be read: {error}") from error


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey down; Pillow would make white of all that is over 255."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("its pixels have 32 bits, not 8 or 16")
    return image
