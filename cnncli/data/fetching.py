"""Fetching a public data set: each file whole and known, or not at all.

This is the only module that opens a connection, and only ``cnncli fetch`` calls it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from cnncli.data.streams import RECOGNIZED, mistaken_for, open_stream
from cnncli.errors import DataError, OutputError
from cnncli.system.tracking import tracked

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from pathlib import Path

FASHION_MNIST_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
"""What the README of the data set names, github.com/zalandoresearch/fashion-mnist."""

TIMEOUT = 30
_CHUNK = 2**16
_LARGEST = 2**27
_PARTIAL, _NO_SUCH_RANGE = 206, 416
_AGAIN = "run the command again to go on"


class Content(NamedTuple):
    """What is known of a file, uncompressed: servers may compress it as they like.

    Attributes:
        size: Bytes.
        sha256: Their digest.
    """

    size: int
    sha256: str


FASHION_MNIST: Mapping[str, Content] = {
    "train-images-idx3-ubyte.gz": Content(
        47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
    ),
    "train-labels-idx1-ubyte.gz": Content(
        60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
    ),
    "t10k-images-idx3-ubyte.gz": Content(
        7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
    ),
    "t10k-labels-idx1-ubyte.gz": Content(
        10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    ),
}


def fetch(files: Mapping[str, Content], folder: Path, url: str) -> Iterator[Path]:
    """Fetch what a folder lacks of some files.

    What was fetched of a file before a connection broke is kept, under its name with
    ``.part`` after it, and gone on with.

    Args:
        files: Their names, and what must be in them, plain or gzipped.
        folder: Where they are kept; made if it isn't there.
        url: The address of the folder that has them, HTTP or HTTPS.

    Yields:
        Each file that was fetched.

    Raises:
        DataError: They can't be had, or are others.
        OutputError: They can't be written.
    """
    for name, content in files.items():
        path = folder / name
        if path.exists() and _mismatch(path, content) is None:
            continue
        address = f"{url.rstrip('/')}/{name}"
        part = folder / f"{name}.part"
        with _writing(path):
            folder.mkdir(parents=True, exist_ok=True)
            _download(address, part)
            if problem := _mismatch(part, content):
                part.unlink()
                raise DataError(
                    f"{address}: not the file that is wanted: {problem}; fetch it "
                    "again, or from another server with --from"
                )
            part.replace(path)
        yield path


def _mismatch(path: Path, wanted: Content) -> str | None:
    """Say how a file isn't what it must be, if it isn't."""
    digest, left, start = hashlib.sha256(), wanted.size + 1, b""
    try:
        with open_stream(path) as stream:
            while left > 0 and (chunk := stream.read(min(left, _CHUNK))):
                start = start or chunk[:RECOGNIZED]
                digest.update(chunk)
                left -= len(chunk)
    except DataError as error:
        return str(error).removeprefix(f"{path}: ")
    if digest.hexdigest() == wanted.sha256:
        return None
    found = f"SHA-256 {wanted.sha256[:16]}..., found {digest.hexdigest()[:16]}..."
    return mistaken_for(start, "IDX") or f"expected {found}"


def _download(address: str, part: Path) -> None:
    """Fetch a file, or what is missing of it.

    Args:
        address: Where it is.
        part: What is there of it already, if anything.

    Raises:
        DataError: The server can't be reached, has no such file, or breaks off.
    """
    done = part.stat().st_size if part.exists() else 0
    response = _ask(address, done)
    if response is None:
        return
    with response:
        goes_on = response.status == _PARTIAL
        length = int(response.headers.get("Content-Length", _LARGEST))
        name = address.rpartition("/")[2]
        with part.open("ab" if goes_on else "wb") as file:
            chunks = _write(address, response, file)
            tracked(f"fetching {name}", -(-length // _CHUNK), chunks)
            file.flush()
            os.fsync(file.fileno())
            received = file.tell() - (done if goes_on else 0)
    if "Content-Length" in response.headers and received < length:
        raise DataError(f"{address}: the connection broke off; {_AGAIN}")


def _ask(address: str, done: int) -> HTTPResponse | None:
    """Ask a server for a file, from a byte on; None if it has no more bytes."""
    request = Request(address, headers={"Range": f"bytes={done}-"} if done else {})
    with _answering(address):
        try:
            response: HTTPResponse = urlopen(request, timeout=TIMEOUT)
        except HTTPError as error:
            error.close()
            if done and error.code == _NO_SUCH_RANGE:
                return None
            raise
        return response


def _write(address: str, response: HTTPResponse, file: BinaryIO) -> Iterator[None]:
    """Write what a server sends, and yield after each chunk."""
    while True:
        with _answering(address):
            chunk = response.read(_CHUNK)
        if not chunk:
            return
        if file.tell() + len(chunk) > _LARGEST:
            raise DataError(
                f"{address}: not the file that is wanted: over {_LARGEST:,} bytes"
            )
        file.write(chunk)
        yield


@contextmanager
def _answering(address: str) -> Iterator[None]:
    """Say in one way what can go wrong between here and a server."""
    try:
        yield
    except HTTPError as error:
        raise DataError(
            f"{address}: the server answers {error.code} {error.reason}; name another "
            "one with --from"
        ) from error
    except TimeoutError as error:
        raise DataError(
            f"{address}: the server has sent nothing for {TIMEOUT} seconds; {_AGAIN}"
        ) from error
    except (OSError, HTTPException) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, TimeoutError):
            cause = f"no answer in {TIMEOUT} seconds"
        reason = getattr(cause, "strerror", None) or cause or type(cause).__name__
        raise DataError(
            f"{address}: can't fetch it: {reason}; {_AGAIN}, or name another server "
            "with --from"
        ) from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: can't write the file: {error.strerror or error}"
        ) from error
