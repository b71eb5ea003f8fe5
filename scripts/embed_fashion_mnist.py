"""Make the Fashion-MNIST files that travel inside the package.

Usage: ``python scripts/embed_fashion_mnist.py FOLDER``, where FOLDER holds the four
original files, plain or gzip, such as Debian's package dataset-fashion-mnist
installs them. The first 16,000 training images are kept, and all test images. What
is written can be read again: from the folder of the embedded files, the script makes
the same bytes (with the same zlib).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import math
import struct
import sys
from pathlib import Path

from cnncli.data.formats.idx import read_idx
from cnncli.data.formats.idx_folder import find_idx_files
from cnncli.errors import CnncliError, DataError
from cnncli.system.files import write_file

DESTINATION = Path(__file__).parents[1] / "cnncli" / "data" / "fashion_mnist"

# SHA-256 of the elements that are kept, without the headers.
DIGESTS = {
    "train-images-idx3-ubyte": (
        "504955b9a5111849ab7cb4e010bcdabccecbc4b4fde6cb7a634c39a4d06e4650"
    ),
    "train-labels-idx1-ubyte": (
        "571a02eda1acfa3dcd5ac10ad667c8e6caa21f44f5ba9c4d78aec4197c13e348"
    ),
    "t10k-images-idx3-ubyte": (
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a"
    ),
    "t10k-labels-idx1-ubyte": (
        "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"
    ),
}


def embed(originals: Path, destination: Path) -> None:
    """Write the four files, once all are known to be the right ones.

    Raises:
        DataError: An original is missing, can't be read or isn't Fashion-MNIST.
        OutputError: A file can't be written.
    """
    found = find_idx_files(originals)
    paths = (*found["train"], *found["test"])
    contents = {
        f"{name}.gz": compress(select(path, name))
        for name, path in zip(DIGESTS, paths, strict=True)
    }
    for name, content in contents.items():
        write_file(destination / name, content)


def select(path: Path, name: str) -> bytes:
    """Return the rows of an original that are embedded, as an IDX file."""
    shape, elements = read_idx(path, dimensions=3 if "images" in name else 1)
    rows = 16_000 if name.startswith("train") else 10_000
    kept = elements[: rows * math.prod(shape[1:])]
    if hashlib.sha256(kept).hexdigest() != DIGESTS[name]:
        raise DataError(
            f"{path}: expected the {name} of Fashion-MNIST, found other "
            f"content in the first {rows:,} rows"
        )
    magic = bytes((0, 0, 0x08, len(shape)))
    return magic + struct.pack(f">{len(shape)}I", rows, *shape[1:]) + kept


def compress(content: bytes) -> bytes:
    """Return a gzip file without name and time, so that it depends on nothing else."""
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the original files are")
    try:
        embed(parser.parse_args().folder, DESTINATION)
    except CnncliError as error:
        sys.exit("\n".join(error.lines()))


if __name__ == "__main__":
    main()
