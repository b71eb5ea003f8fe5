"""The data source of picture files, a folder a class."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnncli.data.formats.picture_tree import LabelledFiles, PictureTree, read_tree
from cnncli.data.source import MOST_IN_MEMORY, DataInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cnncli.architecture import Shape
    from cnncli.config.schema import Folder
    from cnncli.data.images import Images
    from cnncli.data.source import Pool


@dataclass(frozen=True)
class PictureFolder:
    """A data source: a folder with a folder of pictures for each class.

    Attributes:
        path: Where it is.
        asked: What the config says of it.
    """

    path: Path
    asked: Folder

    def describe(self) -> DataInfo:
        """List the pictures, and look at the first if no size is given.

        Raises:
            DataError: The folder holds no pictures in folders for classes.
        """
        tree = read_tree(self.path, self.asked.classes)
        train, validation = tree.parts["train"], tree.parts.get("validation")
        test = tree.parts.get("test")
        num_validation = len(validation.labels) if validation else 0
        shape = self._image_shape(tree)
        num_train = len(train.labels) + num_validation
        return DataInfo(
            source=self,
            place=self.path,
            train_labels=self.path,
            class_names=tree.class_names,
            image_shape=shape,
            num_train=num_train,
            num_test=len(test.labels) if test else 0,
            num_validation=num_validation,
            is_stored=num_train * math.prod(shape) > MOST_IN_MEMORY,
            notes=tree.notes,
        )

    def load(self, pool: Pool) -> Images:
        """Decode the pictures of a pool.

        Raises:
            DataError: Pictures can't be decoded, or have several sizes and none is
                given.
        """
        import numpy as np

        from cnncli.data.decoding import Decoding
        from cnncli.data.images import Images

        tree = read_tree(self.path, self.asked.classes)
        files = self._files(tree, pool)
        fit = None if self.asked.image_shape is None else self.asked.fit
        return Images(
            Decoding(files.paths, self._image_shape(tree), fit).pixels(),
            np.frombuffer(files.labels, np.uint8),
            np.arange(len(files.paths)),
            tuple(str(path.relative_to(self.path)) for path in files.paths),
        )

    def some_pictures(self, count: int) -> Iterator[tuple[str, bytes | bytearray]]:
        """Read some pictures to train on, of all classes: their names and bytes.

        Raises:
            DataError: The folder holds no pictures, or one can't be read.
        """
        from cnncli.data.pictures import read_content

        paths = read_tree(self.path, self.asked.classes).parts["train"].paths
        for path in paths[:: -(-len(paths) // count)]:
            yield str(path), read_content(path)

    def names(self, pool: Pool) -> tuple[str, ...]:
        """Return the path of each picture of a pool, within the folder."""
        tree = read_tree(self.path, self.asked.classes)
        paths = self._files(tree, pool).paths
        return tuple(str(path.relative_to(self.path)) for path in paths)

    def contents(self, pool: Pool) -> Iterator[tuple[str, bytes | bytearray]]:
        """Read the file of each picture of a pool.

        Raises:
            DataError: One can't be read.
        """
        from cnncli.data.pictures import read_content

        tree = read_tree(self.path, self.asked.classes)
        for path in self._files(tree, pool).paths:
            yield str(path), read_content(path)

    def brought_to(self, image_shape: Shape) -> PictureFolder:
        """Return the same pictures, brought to a (height, width, channels)."""
        asked = self.asked.model_copy(update={"image_shape": image_shape})
        return replace(self, asked=asked)

    def _files(self, tree: PictureTree, pool: Pool) -> LabelledFiles:
        """Return the files of a pool; those for validation follow those to train on."""
        chosen = ("test",) if pool == "test" else ("train", "validation")
        parts = [files for part, files in tree.parts.items() if part in chosen]
        return LabelledFiles(
            tuple(path for files in parts for path in files.paths),
            b"".join(files.labels for files in parts),
        )

    def _image_shape(self, tree: PictureTree) -> Shape:
        from cnncli.data.pictures import first_shape

        return self.asked.image_shape or first_shape(tree.parts["train"].paths[0])
