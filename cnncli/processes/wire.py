"""Frames on a connection: a small header in JSON, then bytes; never objects."""

from __future__ import annotations

import json
import socket
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PREFIX = struct.Struct(">4sIQ")
_MARK = b"cnn\x01"
_LONGEST_HEADER = 1 << 20
_READS_AT_ONCE = 64
_PIECE = 1 << 20


class FrameError(Exception):
    """What came over a connection is not a frame; it begins the message."""


@dataclass(frozen=True)
class Frame:
    """One message.

    Attributes:
        kind: What it is for.
        header: What it says; values are those of JSON.
        data: Bytes that come along.
    """

    kind: str
    header: Mapping[str, Any] = field(default_factory=dict)
    data: bytes | bytearray | memoryview = b""


class Link:
    """A connection that never blocks.

    Args:
        connection: A connected socket, which is the link's from now on.
        most: The longest data that a frame may bring; strangers may bring none.

    Attributes:
        is_at_end: Whether the other side has said all that it will ever say.
    """

    def __init__(self, connection: socket.socket, most: int = 0) -> None:
        connection.setblocking(False)
        self._connection = connection
        self.most = most
        self.is_at_end = False
        self._outgoing: deque[memoryview] = deque()
        self._put_back: list[Frame] = []
        self._header: dict[str, Any] | None = None
        self._length = 0
        self._data_length = 0
        self._expect(bytearray(_PREFIX.size))

    def fileno(self) -> int:
        """Return the number of the descriptor, which is -1 for a closed link."""
        return self._connection.fileno()

    @property
    def is_sending(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._outgoing)

    def own_host(self) -> str:
        """Return the numeric address of this end."""
        return str(self._connection.getsockname()[0])

    def other_host(self) -> str:
        """Return the numeric address of the other end."""
        return str(self._connection.getpeername()[0])

    def post(self, frame: Frame) -> None:
        """Have a frame sent, in its turn, as ``flush`` is called."""
        header = json.dumps({"kind": frame.kind, **frame.header}).encode()
        data = memoryview(frame.data)
        prefix = _PREFIX.pack(_MARK, len(header), len(data))
        self._outgoing.append(memoryview(prefix + header))
        if data:
            self._outgoing.append(data)

    def flush(self) -> None:
        """Send what can be sent at once.

        Raises:
            OSError: The connection is broken.
        """
        while self._outgoing:
            piece = self._outgoing[0]
            try:
                sent = self._connection.send(piece[:_PIECE])
            except (BlockingIOError, InterruptedError):
                return
            if sent == len(piece):
                self._outgoing.popleft()
            else:
                self._outgoing[0] = piece[sent:]

    def drop_outgoing(self) -> None:
        """Forget what is still to be sent."""
        self._outgoing.clear()

    def receive(self) -> list[Frame]:
        """Return the frames that have come; sets ``is_at_end``.

        Raises:
            FrameError: Something else has come.
            OSError: The connection is broken.
        """
        frames, self._put_back = self._put_back, []
        for _ in range(_READS_AT_ONCE):
            try:
                count = self._connection.recv_into(self._part[self._filled :])
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                if frames:
                    break  # what came before goes first; it is broken next time too
                raise
            if not count:
                self.is_at_end = True
                break
            self._filled += count
            self._check_mark()
            while self._filled == len(self._part):
                if frame := self._next_part():
                    frames.append(frame)
        return frames

    def put_back(self, frames: list[Frame]) -> None:
        """Have ``receive`` return frames once more, before others."""
        self._put_back = frames

    def hang_up(self) -> None:
        """Say that nothing more will come."""
        self._connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _expect(self, part: bytearray) -> None:
        self._whole = part
        self._part = memoryview(part)
        self._filled = 0

    def _is_in_prefix(self) -> bool:
        return self._header is None and not self._length

    def _check_mark(self) -> None:
        """Look at the first bytes as soon as they come: a stranger may send no more."""
        if self._is_in_prefix():
            said = bytes(self._part[: min(self._filled, len(_MARK))])
            if not _MARK.startswith(said):
                raise FrameError(repr(bytes(self._part[: self._filled])))

    def _next_part(self) -> Frame | None:
        """Go on to what follows a part that is complete; return a frame at its end."""
        if self._is_in_prefix():
            _, self._length, self._data_length = _PREFIX.unpack(self._whole)
            if not 1 < self._length <= _LONGEST_HEADER or self._data_length > self.most:
                raise FrameError(repr(bytes(self._whole)))
            self._expect(bytearray(self._length))
            return None
        if self._header is None:
            self._header = _parsed(self._whole)
            self._expect(bytearray(self._data_length))
            return None
        frame = Frame(self._header.pop("kind"), self._header, self._whole)
        self._header, self._length = None, 0
        self._expect(bytearray(_PREFIX.size))
        return frame


def _parsed(header: bytearray) -> dict[str, Any]:
    try:
        parsed = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise FrameError(repr(bytes(header[:40]))) from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("kind"), str):
        raise FrameError(repr(bytes(header[:40])))
    return parsed
