"""Reading one picture of unknown origin: perhaps no picture, damaged, or a bomb.

This is the one decoder: whoever trains, evaluates or predicts gets the same pixels from
the same file. It may be used by several threads at once.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from cnncli.config import schema
from cnncli.data.colours import in_8_bits, stored_bits
from cnncli.data.streams import open_stream, read_up_to
from cnncli.errors import DataError, OtherShapeError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAX_BYTES = 2**27
MAX_PIXELS = 50_000_000
# Not what would start another program, such as EPS.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")

Fit = schema.Fit
"""How a picture is brought to another size: each side by itself; as a whole, with black
bars where it is too short; as a whole, its centre, without what is too much of it."""

_DONE: dict[Fit, str] = {
    "stretch": "resized",
    "pad": "resized and padded",
    "crop": "resized and cropped",
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by the orientation that is noted in it."""
_ON_ITS_SIDE = range(5, 9)


class Picture(NamedTuple):
    """A picture, decoded.

    Attributes:
        pixels: (height, width, channels) uint8, or (height, width).
        changes: What had to be done to it, each to be said after "it was": such as
            "resized to 28 x 28 pixels"; the same words for every picture, so that they
            can be counted.
    """

    pixels: NDArray[np.uint8]
    changes: list[str]


def read_picture(
    path: Path, shape: tuple[int, ...], fit: Fit | None = "stretch"
) -> Picture:
    """Read a picture file as a model takes images; see ``decode_picture``.

    Args:
        path: A file in one of ``FORMATS``, perhaps compressed with gzip.
        shape: (height, width, channels) that the model takes.
        fit: How it is brought to that size; None if it must be as the first of many.

    Raises:
        DataError: The file can't be read, or ``decode_picture`` refuses what is in it.
    """
    return decode_picture(read_content(path), str(path), shape, fit)


def decode_picture(
    content: bytes | bytearray,
    name: str,
    shape: tuple[int, ...],
    fit: Fit | None = "stretch",
) -> Picture:
    """Decode a picture as a model takes images.

    It is turned upright as its camera noted, laid over white where it is transparent,
    and made grey where the model takes grey. Colour profiles are not applied.

    Args:
        content: A file in one of ``FORMATS``, whatever its name; of an animation, the
            first frame is taken.
        name: What to call it in messages.
        shape: (height, width, channels) that the model takes; 1 channel is grey.
        fit: How it is brought to that size; None if it must be as the first of many.

    Raises:
        DataError: It isn't such a picture, is damaged, is too large, or isn't as it
            must be.
    """
    height, width, channels = shape
    if fit is None:
        _check_shape(content, name, shape)
    image, changes = _decode(content, name, "L" if channels == 1 else "RGB")
    if image.size != (width, height) and fit is not None:
        image = _resized(image, (width, height), fit)
        changes.append(f"{_DONE[fit]} to {width} x {height} pixels")
    return Picture(np.asarray(image, np.uint8).reshape(shape), changes)


def read_grey_picture(path: Path) -> Picture:
    """Read a picture in grey, of its own size.

    The arguments and errors are those of ``read_picture``.

    Returns:
        (height, width) pixels, and what had to be done to the picture.
    """
    image, changes = _decode(read_content(path), str(path), "L")
    return Picture(np.asarray(image, np.uint8), changes)


def read_content(path: Path) -> bytearray:
    """Read a picture file, perhaps compressed with gzip.

    Raises:
        DataError: It can't be read, or is too large.
    """
    with open_stream(path) as stream:
        content = read_up_to(stream, MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DataError(f"{path}: a picture may have at most {MAX_BYTES:,} bytes")
    return content


def _decode(
    content: bytes | bytearray, name: str, mode: str
) -> tuple[Image.Image, list[str]]:
    """Decode a picture, upright, in a mode of Pillow's: "L" or "RGB"."""
    # What matters is raised. Set for good, as threads can't each have their own.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    with _refusing(name):
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
        if opened.width * opened.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        bits = stored_bits(opened)
        changes = []
        if getattr(opened, "is_animated", False):
            changes.append("reduced to its first frame")
        upright, was_turned = _upright(opened)
        if was_turned:
            changes.append("turned upright as the camera noted")
        image, more = in_8_bits(opened, upright, bits, mode)
    return image, [*changes, *more]


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Say in one way what Pillow says in many."""
    try:
        yield
    except UnidentifiedImageError as error:
        raise DataError(
            f"{name}: not a picture in a format that is read: {', '.join(FORMATS)}"
        ) from error
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{name}: a picture may have at most {MAX_PIXELS:,} pixels; make it smaller"
        ) from error
    except Exception as error:  # a decoder may raise anything
        raise DataError(f"{name}: the picture can't be read: {error}") from error


def _upright(opened: Image.Image) -> tuple[Image.Image, bool]:
    """Load a picture and turn it upright; also say whether it had to be turned.

    Pillow turns TIFF itself as it loads it, but not the others. A note that is damaged
    tells nothing, and the pixels may still be good.
    """
    noted = getattr(opened, "tag_v2", {}).get(ExifTags.Base.Orientation)
    opened.load()
    if opened.format == "TIFF":
        return opened, noted in _TURNS
    turn = _TURNS.get(_orientation(opened))
    return (opened, False) if turn is None else (opened.transpose(turn), True)


def _orientation(opened: Image.Image) -> int:
    """Return how a camera noted that a picture lies; 1 is upright."""
    with suppress(Exception):
        return int(opened.getexif()[ExifTags.Base.Orientation])
    return 1


def _resized(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    """Bring a picture to a size (width, height)."""
    if fit == "crop":
        return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    if fit == "stretch":
        return image.resize(size, Image.Resampling.LANCZOS)
    scale = min(size[0] / image.width, size[1] / image.height)
    width = max(1, round(scale * image.width))
    height = max(1, round(scale * image.height))
    inner = image.resize((width, height), Image.Resampling.LANCZOS)
    padded = Image.new(image.mode, size)
    padded.paste(inner, ((size[0] - width) // 2, (size[1] - height) // 2))
    return padded


def _check_shape(content: bytes | bytearray, name: str, shape: tuple[int, ...]) -> None:
    """Refuse a picture of another size than the first, or of colour where that is grey.

    Raises:
        DataError: It is such a picture.
    """
    found = picture_shape(content, name)
    if found[:2] != shape[:2] or found[2] > shape[2]:
        is_, was = (" x ".join(map(str, sizes)) for sizes in (found, shape))
        raise OtherShapeError(
            f"{name}: {is_}, but the first picture is {was}; say what all are brought "
            "to, with image_shape: [HEIGHT, WIDTH, CHANNELS]"
        )


def first_shape(path: Path) -> tuple[int, int, int]:
    """Return the ``picture_shape`` of a file."""
    return picture_shape(read_content(path), str(path))


class PictureHeader(NamedTuple):
    """What a picture file says of itself.

    Attributes:
        format: One of ``FORMATS``.
        mode: Pillow's name of its colour model, such as "RGB".
        shape: (height, width, channels) as it stands upright; 1 channel is grey.
        bits: How many a value has.
        is_turned: Whether it has to be turned upright as its camera noted.
        is_animated: Whether it has several frames.
        may_be_transparent: Whether it says what of it is transparent.
    """

    format: str
    mode: str
    shape: tuple[int, int, int]
    bits: int
    is_turned: bool
    is_animated: bool
    may_be_transparent: bool


def picture_shape(content: bytes | bytearray, name: str) -> tuple[int, int, int]:
    """Return (height, width, channels) of a picture as it stands upright; 1 is grey.

    The arguments and errors are those of ``decode_picture``.
    """
    return read_header(content, name).shape


def read_header(content: bytes | bytearray, name: str) -> PictureHeader:
    """Read what a picture says of itself, and no pixels.

    The arguments and errors are those of ``decode_picture``.
    """
    with _refusing(name):
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
        bits = stored_bits(opened)  # first, as looking for EXIF data may load a PNG
        orientation = _orientation(opened)
        width, height = opened.size
        if opened.format != "TIFF" and orientation in _ON_ITS_SIDE:
            width, height = height, width
        is_grey = opened.mode in ("1", "L", "LA", "F") or opened.mode.startswith("I")
        return PictureHeader(
            str(opened.format),
            opened.mode,
            (height, width, 1 if is_grey else 3),
            bits,
            orientation in _TURNS,
            bool(getattr(opened, "is_animated", False)),
            opened.has_transparency_data,
        )
