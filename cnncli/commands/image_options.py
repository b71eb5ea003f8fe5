"""The options of ``cnncli feature-maps`` that say which images to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnncli.system.terminal import say

if TYPE_CHECKING:
    from cnncli.modelfile.file import ModelFile
    from cnncli.plots.feature_maps import Subject


@dataclass(frozen=True)
class ImageOptions:
    """Test images, or image files.

    Attributes:
        indices: Numbers of test images.
        data: Where the test images are, if not where the model's were.
        files: Image files instead, if there are any.
    """

    indices: tuple[int, ...]
    data: Path | None
    files: tuple[Path, ...]

    @property
    def tag(self) -> str:
        """A word for the images."""
        return "_".join([file.stem for file in self.files] or map(str, self.indices))

    def load(self, saved: ModelFile, *, most: int) -> list[Subject]:
        """Read the images, as the model takes them.

        Args:
            saved: The model.
            most: How many there may be.

        Raises:
            click.UsageError: There are more.
            DataError: They can't be read, or there is no such test image.
        """
        if len(self.files or self.indices) > most:
            raise click.UsageError(
                "--grad-cam and --occlusion are of one image"
                if most == 1
                else f"at most {most} images can be drawn beside each other"
            )
        subjects = self._from_files(saved) if self.files else self._from_data(saved)
        _warn_of_fonts([*(subject.name for subject in subjects), *saved.class_names])
        return subjects

    def _from_files(self, saved: ModelFile) -> list[Subject]:
        from cnncli.data.pictures import read_picture
        from cnncli.plots.feature_maps import Subject

        subjects = []
        for file in self.files:
            pixels, changes = read_picture(file, saved.image_shape, saved.fit)
            for change in changes:
                say(f"note: {file} was {change}")
            subjects.append(Subject(file.name, pixels))
        return subjects

    def _from_data(self, saved: ModelFile) -> list[Subject]:
        from cnncli.errors import DataError
        from cnncli.evaluation.images import load_evaluation_images
        from cnncli.plots.feature_maps import Subject
        from cnncli.plots.fonts import class_labels

        images, _ = load_evaluation_images(saved, "test", self.data)
        for index in self.indices:
            if index >= len(images):
                raise DataError(
                    f"--index {index}: there are {len(images):,} test images, 0 to "
                    f"{len(images) - 1}"
                )
        names = class_labels(saved.class_names, 80)
        what = "test image " if len(self.indices) == 1 else ""
        return [
            Subject(
                f"{what}{index}: {names[images.labels[index]]}", images.pixels[index]
            )
            for index in self.indices
        ]


def _warn_of_fonts(texts: list[str]) -> None:
    """Warn of what no font has."""
    from cnncli.plots.fonts import font_warning

    if warning := font_warning(texts):
        say(f"warning: {warning}")
