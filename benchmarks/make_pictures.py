"""Makes a folder of JPEG files in two classes, as many as asked for.

A program of its own, as ``make_images`` is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageFilter


def main() -> None:
    """Write the files: noise, blurred so that it looks like a photograph to JPEG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--side", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    size = (options.side, options.side)
    bands = [Image.effect_noise(size, 100) for _ in "RGB"]
    picture = Image.merge("RGB", bands).filter(ImageFilter.GaussianBlur(2))
    for number in range(options.count):
        folder = options.out / ("light", "dark")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        # Turned step by step, so that no two files are the same.
        shifted = picture.rotate(360 * number / options.count)
        shade = shifted.point(lambda value, odd=number % 2: value // (1 + odd))
        shade.save(folder / f"{number}.jpg", quality=85)


if __name__ == "__main__":
    main()
