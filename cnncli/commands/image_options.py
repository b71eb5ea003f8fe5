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


_LONGEST_TAG = 60


@dataclass(frozen=True)
class ImageOptions:
    """Test images, or image files.

    Attributes:
        indices: Numbers of test images, as in predictions.csv; None for the first.
        data: Where the test images are, if not where the model's were.
        files: Image files instead, if there are any.
    """

    indices: tuple[int, ...] | None
    data: Path | None
    files: tuple[Path, ...]

    def load(self, saved: ModelFile, *, most: int) -> tuple[list[Subject], str]:
        """Read the images, as the model takes them; also return a word for them.

        Args:
            saved: The model.
            most: How many there may be.

        Raises:
            click.UsageError: There are more.
            DataError: They can't be read, or there is no such test image.
        """
        if len(self.files or self.indices or ()) > most:
            raise click.UsageError(
                "--grad-cam and --occlusion are of one image"
                if most == 1
                else f"at most {most} images can be drawn beside each other"
            )
        if self.files:
            subjects, words = self._from_files(saved), [f.stem for f in self.files]
        else:
            subjects, words = self._from_data(saved)
        _warn_of_fonts([*(subject.name for subject in subjects), *saved.class_names])
        return subjects, _tag(words)

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

    def _from_data(self, saved: ModelFile) -> tuple[list[Subject], list[str]]:
        from cnncli.evaluation.images import load_evaluation_images, position_of
        from cnncli.plots.feature_maps import Subject
        from cnncli.plots.fonts import class_labels

        images, _ = load_evaluation_images(saved, "test", self.data)
        indices = self.indices or (int(images.indices[0]),)
        names = class_labels(saved.class_names, 80)
        what = "test image " if len(indices) == 1 else ""
        subjects = []
        for index in indices:
            position = position_of(images, index, "--index")
            name = f"{what}{index}: {names[images.labels[position]]}"
            subjects.append(Subject(name, images.pixels[position]))
        return subjects, [str(index) for index in indices]


def _tag(words: list[str]) -> str:
    """Return a word for images, of which each has one."""
    tag = "_".join(words)
    if len(tag) <= _LONGEST_TAG or len(words) == 1:
        return tag
    return f"{words[0]}_and_{len(words) - 1}_more"


def _warn_of_fonts(texts: list[str]) -> None:
    """Warn of what no font has."""
    from cnncli.plots.fonts import font_warning

    if warning := font_warning(texts):
        say(f"warning: {warning}")
