"""What the picture files of a data set say of themselves: formats, colours, sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cnncli.data.pictures import PictureHeader, read_header
from cnncli.data.source import PictureSource
from cnncli.errors import DataError

if TYPE_CHECKING:
    from cnncli.architecture import Shape
    from cnncli.data.source import DataInfo, Pool

_MOST_PROBLEMS = 20
_LOOKED_AT = (64, 64)
"""What pictures of many sizes, or large ones, are brought to where nobody says more."""
_LARGEST = 256
"""The longer side of pictures that are looked at as they are."""


@dataclass(frozen=True)
class Headers:
    """What picture files say of themselves.

    Attributes:
        headers: One for each picture.
        shape: (height, width, channels) that they are brought to.
    """

    headers: Sequence[PictureHeader]
    shape: Shape

    @property
    def formats(self) -> Counter[str]:
        """How many pictures are in each format."""
        return Counter(header.format for header in self.headers)

    @property
    def modes(self) -> Counter[str]:
        """How many are of each colour model, as Pillow calls it."""
        return Counter(header.mode for header in self.headers)

    @property
    def sizes(self) -> Counter[str]:
        """How many are of each size."""
        return Counter("{} x {}".format(*header.shape) for header in self.headers)

    @property
    def changes(self) -> dict[str, int]:
        """How many are treated in some way, if any is."""
        every = self.headers
        *size, channels = self.shape
        counts = {
            "resized": sum([*header.shape[:2]] != size for header in every),
            "turned upright": sum(header.is_turned for header in every),
            "made grey": sum(header.shape[2] > channels for header in every),
            "brought to 8 bits": sum(header.bits > 8 for header in every),
            "laid over white where transparent": sum(
                header.may_be_transparent for header in every
            ),
            "reduced to the first frame": sum(header.is_animated for header in every),
        }
        return {change: count for change, count in counts.items() if count}

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON can hold them."""
        return {
            "formats": dict(self.formats.most_common()),
            "modes": dict(self.modes.most_common()),
            "sizes": dict(self.sizes.most_common()),
            "changes": self.changes,
        }


def read_headers(data: DataInfo) -> Headers | None:
    """Read what the pictures of a data set say of themselves, if it has such.

    Raises:
        DataError: Some can't be read; it lists them.
    """
    source = data.source
    if not isinstance(source, PictureSource):
        return None
    headers, problems = [], list[str]()
    pools: tuple[Pool, ...] = ("train", "test") if data.num_test else ("train",)
    for pool in pools:
        for name, content in source.contents(pool):
            try:
                headers.append(read_header(content, name))
            except DataError as error:
                problems += error.problems
    if problems:
        rest = len(problems) - _MOST_PROBLEMS
        more = [f"and {rest:,} more that can't be read"] if rest > 0 else []
        raise DataError(*problems[:_MOST_PROBLEMS], *more)
    return Headers(headers, data.image_shape)


def fitted(data: DataInfo, headers: Headers | None) -> tuple[DataInfo, Headers | None]:
    """Bring pictures to one size where nobody says to which.

    That is their own if they have one that isn't large; what is said of small copies
    of others is true of them too.
    """
    source = data.source
    if headers is None or not isinstance(source, PictureSource):
        return data, headers
    channels = max(header.shape[2] for header in headers.headers)
    sizes = {header.shape[:2] for header in headers.headers}
    own = next(iter(sizes)) if len(sizes) == 1 else None
    size = own if own and max(own) <= _LARGEST else _LOOKED_AT
    resized = source.brought_to((*size, channels)).describe()
    if size != own:
        of = "{} x {}".format(*own) if own else f"{len(sizes):,} sizes"
        height, width = size
        note = f"pictures of {of} are looked at as {height} x {width}, stretched"
        resized = replace(resized, notes=(*resized.notes, f"{data.place}: {note}"))
    return resized, Headers(headers.headers, resized.image_shape)
