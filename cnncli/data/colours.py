"""A picture's pixels, however they are stored, brought to 8 bits of grey or RGB.

What they mean is taken from what the file says of them, never from their size alone:
four channels may be CMYK or RGB with transparency.
"""

from __future__ import annotations

import re

import numpy as np
from PIL import Image, ImageChops

GROUND = (255, 255, 255)
"""What is behind a picture where it is transparent: white, as paper is."""

_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX")
_COLOUR_MODES = ("CMYK", "YCbCr")
_BITS = re.compile(r"(?:L|I|LA|RGB[AXa]?|CMYK);(\d+)")
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
_SAMPLE_FORMAT, _SIGNED = 339, 2


def stored_bits(opened: Image.Image) -> int:
    """Return how many bits a value has in the file; 8 where that doesn't matter.

    Args:
        opened: A picture that isn't loaded yet.
    """
    if not (tiles := getattr(opened, "tile", ())):
        return 8
    args = tiles[0].args
    if opened.format == "PPM" and isinstance(args, tuple) and args[-1] > 255:
        return 16  # Pillow has scaled it to that
    rawmode = str(args[0] if isinstance(args, tuple) and args else args)
    found = _BITS.match(rawmode)
    return int(found[1]) if found else 8


def in_8_bits(
    opened: Image.Image, upright: Image.Image, bits: int, mode: str
) -> tuple[Image.Image, list[str]]:
    """Bring a picture to 8 bits of grey or RGB.

    Args:
        opened: The picture as it was opened, which knows its file.
        upright: Its pixels, loaded.
        bits: How many a value has in the file.
        mode: ``"L"`` or ``"RGB"``.

    Returns:
        The picture in that mode, and what was done to it; see
        ``cnncli.data.pictures.Picture``.

    Raises:
        ValueError: The pixels are of a kind that isn't read.
    """
    _check_kind(opened)
    changes = []
    if bits > 8:
        changes.append(f"brought from {bits} bits a value to 8")
    image = upright
    if image.mode.startswith("I"):
        image = _deep_grey(opened, image, bits)
    elif opened.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        # Pillow takes every CMYK JPEG for one of Adobe's, which are inverted.
        image = ImageChops.invert(image)
    if image.has_transparency_data:
        image, is_transparent = _on_ground(image, bits)
        if is_transparent:
            changes.append("laid over white where transparent")
    if mode == "RGB" or image.mode in ("1", "L"):
        return image.convert(mode), changes
    image = image.convert("RGB")
    if _is_coloured(image):
        changes.append("made grey")
    return image.convert(mode), changes


def _check_kind(opened: Image.Image) -> None:
    """Refuse numbers and colours that have no one meaning in 8 bits."""
    mode, tags = opened.mode, getattr(opened, "tag_v2", {})
    is_deep_grey = mode.startswith("I;16") or (mode == "I" and opened.format == "PPM")
    is_signed = _SIGNED in np.atleast_1d(tags.get(_SAMPLE_FORMAT, ()))
    if is_signed or (mode in ("I", "F") and not is_deep_grey):
        raise ValueError("its pixels have 32 bits or a sign, not 8 or 16 without one")
    if not is_deep_grey and mode not in (*_MODES, *_COLOUR_MODES):
        raise ValueError(f"its colours are in {mode}, not in grey, RGB or CMYK")


def _deep_grey(opened: Image.Image, image: Image.Image, bits: int) -> Image.Image:
    """Scale grey of more than 8 bits; Pillow would make white of all over 255."""
    values = np.asarray(image).astype(np.uint16)
    alpha = 255 * (values != image.info.get("transparency", -1)).astype(np.uint8)
    if getattr(opened, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = 2**bits - 1 - values
    grey = Image.fromarray((values >> bits - 8).astype(np.uint8))
    if not alpha.all():
        grey.putalpha(Image.fromarray(alpha))
    return grey


def _on_ground(image: Image.Image, bits: int) -> tuple[Image.Image, bool]:
    """Lay a picture over the ground; also say whether that shows anywhere."""
    if image.mode in ("L", "RGB"):
        image = image.copy()
        image.info["transparency"] = _key(image.info["transparency"], bits)
    image = image.convert("RGBA")
    lowest, _ = image.getchannel("A").getextrema()
    if lowest == 255:
        return image.convert("RGB"), False
    ground = Image.new("RGBA", image.size, (*GROUND, 255))
    return Image.alpha_composite(ground, image).convert("RGB"), True


def _key(key: int | tuple[int, ...], bits: int) -> int | tuple[int, ...]:
    """Return which value is transparent, in 8 bits as the pixels are."""
    if isinstance(key, tuple):
        return tuple(value >> max(0, bits - 8) for value in key)
    return key * 255 // (2**bits - 1) if bits < 8 else key


def _is_coloured(image: Image.Image) -> bool:
    red, *others = image.split()
    return any(ImageChops.difference(red, other).getbbox() for other in others)
