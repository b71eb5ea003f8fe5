"""The room in a page: how much more may be put into it."""

from __future__ import annotations

_CHARACTERS = 1_400_000
"""What all images and what is said of them may take; the rest takes some 300,000."""


class Room:
    """What is left of a page for images, the first come being the first served."""

    def __init__(self) -> None:
        self._left = _CHARACTERS

    def take(self, characters: int) -> bool:
        """Take some of it, if so much is left; else there is none for anybody."""
        self._left -= characters
        if self._left < 0:
            self._left = 0
            return False
        return True

    @property
    def is_left(self) -> bool:
        """Whether there is any."""
        return self._left > 0
