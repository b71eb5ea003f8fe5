"""Random damage to what a user gives: the same seed does the same damage."""

from __future__ import annotations

import gzip
import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_VALUES = (
    *("", "~", "null", "no", "true", "0", "-1", "1", "1.5", "1e3", "-1e-3", "1e400"),
    *(".nan", ".inf", "9" * 30, "0x10", "1_0", "'3'", '"', "'", "''", "text", "Relu"),
    *("[]", "[3, 0]", "[[1], 2]", "[-1]", "{}", "{a: 1}", "{type: x}", "{Adam: }"),
    *("&a", "*a", "<<", "!!int 3", "!!python/name:os.system", "@", "%", "|", ">", "#"),
    *("{", "}", "[", "]", ",", ":", "- x", "? ", "---", "...", "é", "日本", "\u202e"),
    *("/", "..", "~nosuchuser", "/dev/zero", "/proc/self/mem", "x" * 300, "a\\0b"),
)
_CONTROLS = ("\0", "\x1b[31m", "\t", "\r", "\x7f", "\x85", "\u2028", "\ufeff")


def mutate_config(text: str, seed: int) -> str:
    """Return a config with one to four changes of a random kind.

    Args:
        text: A config, valid or not.
        seed: Decides the changes.
    """
    draw = random.Random(seed)
    for _ in range(draw.randint(1, 4)):
        text = draw.choice(_CONFIG_CHANGES)(text, draw)
    return text


def mutate_bytes(content: bytes, seed: int) -> bytes:
    """Return a file's bytes with one to four changes, more of them near the start.

    Args:
        content: The bytes of any file.
        seed: Decides the changes.
    """
    draw = random.Random(seed)
    for _ in range(draw.randint(1, 4)):
        content = draw.choice(_BYTE_CHANGES)(content, draw)
    return content


def mutate_idx(content: bytes, seed: int) -> bytes:
    """Return a changed IDX file; a gzip file is changed inside or outside.

    Args:
        content: An IDX file, plain or gzip.
        seed: Decides the changes.
    """
    if content[:2] == b"\x1f\x8b" and seed % 2:
        inside = mutate_bytes(gzip.decompress(content), seed)
        return gzip.compress(inside, mtime=0)
    return mutate_bytes(content, seed)


def _without_line(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    del lines[_place(lines, draw) :][:1]
    return "".join(lines)


def _line_twice(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    place = _place(lines, draw)
    return "".join([*lines[: place + 1], *lines[place:]])


def _lines_swapped(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    first, second = _place(lines, draw), _place(lines, draw)
    lines[first], lines[second] = lines[second], lines[first]
    return "".join(lines)


def _line_indented(text: str, draw: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    place = _place(lines, draw)
    indent = " " * draw.randint(0, 9)
    lines[place] = indent + lines[place].lstrip(" ")
    return "".join(lines)


def _value_replaced(text: str, draw: random.Random) -> str:
    return _one_replaced(r"(?<=[:\[,] )[^ {}\[\],\n]+", text, draw)


def _key_replaced(text: str, draw: random.Random) -> str:
    return _one_replaced(r"\w+(?=:)", text, draw)


def _key_misspelt(text: str, draw: random.Random) -> str:
    keys = [match.start() for match in re.finditer(r"\w\w+(?=:)", text)] or [0]
    place = draw.choice(keys)
    return text[:place] + text[place + 1 :]


def _control_inserted(text: str, draw: random.Random) -> str:
    place = draw.randint(0, len(text))
    return text[:place] + draw.choice(_CONTROLS) + text[place:]


def _piece_replaced(text: str, draw: random.Random) -> str:
    start = draw.randint(0, len(text))
    end = start + draw.randint(0, 20)
    return text[:start] + draw.choice(_VALUES) + text[end:]


def _text_cut(text: str, draw: random.Random) -> str:
    return text[: draw.randint(0, len(text))]


def _one_replaced(pattern: str, text: str, draw: random.Random) -> str:
    spans = [match.span() for match in re.finditer(pattern, text)] or [(0, 0)]
    start, end = draw.choice(spans)
    return text[:start] + draw.choice(_VALUES) + text[end:]


def _bytes_overwritten(content: bytes, draw: random.Random) -> bytes:
    start = _offset(content, draw)
    new = draw.randbytes(draw.randint(1, 4))
    return content[:start] + new + content[start + len(new) :]


def _bit_flipped(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content or b"\0")
    changed[_offset(changed[:-1], draw)] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _bytes_inserted(content: bytes, draw: random.Random) -> bytes:
    start = _offset(content, draw)
    return content[:start] + draw.randbytes(draw.randint(1, 9)) + content[start:]


def _bytes_removed(content: bytes, draw: random.Random) -> bytes:
    start = _offset(content, draw)
    return content[:start] + content[start + draw.randint(1, 9) :]


def _bytes_cut(content: bytes, draw: random.Random) -> bytes:
    return content[: _offset(content, draw)]


def _bytes_appended(content: bytes, draw: random.Random) -> bytes:
    return content + draw.choice((b"\0", b"garbage", content))


def _place(lines: list[str], draw: random.Random) -> int:
    return draw.randrange(max(1, len(lines)))


def _offset(content: bytes | bytearray, draw: random.Random) -> int:
    """Choose a place in a file; every other time, in its header."""
    return draw.randint(0, min(len(content), draw.choice((20, len(content)))))


_CONFIG_CHANGES: tuple[Callable[[str, random.Random], str], ...] = (
    _without_line,
    _line_twice,
    _lines_swapped,
    _line_indented,
    _value_replaced,
    _value_replaced,
    _key_replaced,
    _key_misspelt,
    _control_inserted,
    _piece_replaced,
    _text_cut,
)
_BYTE_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _bytes_overwritten,
    _bit_flipped,
    _bytes_inserted,
    _bytes_removed,
    _bytes_cut,
    _bytes_appended,
)
