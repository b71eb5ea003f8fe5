"""Makes a folder of IDX files with as many training images as asked for.

A program of its own: the memory that its parent has taken counts towards the peak of
every process that the parent starts, so the parent must stay small.
"""

from __future__ import annotations

import argparse
import gzip
import struct
from pathlib import Path

from cnncli.data.formats.idx import read_idx
from cnncli.data.formats.idx_folder import find_idx_files
from cnncli.data.sources import EMBEDDED_FOLDER


def repeated(shape: tuple[int, ...], content: bytes, count: int) -> bytes:
    """Return the first ``count`` elements, starting anew where there are no more."""
    size = len(content) // shape[0]
    return (content * (count // shape[0] + 1))[: count * size]


def write_idx(path: Path, shape: tuple[int, ...], content: bytes) -> None:
    """Write a gzipped IDX file of unsigned bytes."""
    header = struct.pack(f">I{len(shape)}I", 0x0800 + len(shape), *shape)
    path.write_bytes(gzip.compress(header + content, compresslevel=1, mtime=0))


def main() -> None:
    """Write the four files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=EMBEDDED_FOLDER)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    files = find_idx_files(options.source)
    options.out.mkdir(parents=True)
    for name, path, dimensions, count in (
        ("train-images-idx3-ubyte.gz", files["train"].images, 3, options.count),
        ("train-labels-idx1-ubyte.gz", files["train"].labels, 1, options.count),
        ("t10k-images-idx3-ubyte.gz", files["test"].images, 3, 10_000),
        ("t10k-labels-idx1-ubyte.gz", files["test"].labels, 1, 10_000),
    ):
        shape, content = read_idx(path, dimensions=dimensions)
        elements = repeated(shape, bytes(content), count)
        write_idx(options.out / name, (count, *shape[1:]), elements)


if __name__ == "__main__":
    main()
