"""What a file is that is no model, by how it begins."""

from __future__ import annotations

import codecs
import shlex
from pathlib import Path

from cnncli.modelfile.place import HDF5_SIGNATURE
from cnncli.system.files import NotRegularError, open_regular

_HEAD = 4096
_MODELS = (HDF5_SIGNATURE, b"PK\x03\x04")
"""How HDF5 files and ``.keras`` archives begin."""

_PAGE = "a web page, such as a server sends instead of a file that it doesn't have"
_KINDS = {
    b"\x89png": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"gif8": "a GIF picture",
    b"%pdf": "a PDF",
    b"\x93numpy": "an array of NumPy's",
    b"\x1f\x8b": "compressed with gzip",
    b"\x80": "a pickle, which could run code",
    b"\0\0\x08": "an IDX file of images or labels",
    b"<!doctype html": _PAGE,
    b"<html": _PAGE,
    b"version https://git-lfs": "a Git LFS pointer; fetch the file with 'git lfs pull'",
}
"""Kinds of files by their first bytes, letters in lower case."""


def kind_of(path: Path) -> str | None:
    """Return what a file is; None if it may be a model, or can't be read."""
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD)
    except (OSError, NotRegularError):
        return None
    if head.startswith(_MODELS):
        return None
    kinds = (kind for start, kind in _KINDS.items() if head.lower().startswith(start))
    return next(kinds, None) or _other_kind(path, head)


def _other_kind(path: Path, head: bytes) -> str:
    if not head:
        return "empty"
    if not _is_text(head):
        return "something else"
    if path.suffix.lower() in (".yaml", ".yml"):
        command = f"cnncli summary {shlex.quote(str(path))}"
        return f"a config; its network is shown by '{command}'"
    return "text"


def _is_text(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return b"\0" not in head
