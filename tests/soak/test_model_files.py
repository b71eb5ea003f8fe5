"""Random damage to a model file is found, or does no harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cnncli.cli import cli
from cnncli.errors import ModelFileError
from cnncli.modelfile.file import ModelFile, open_model
from tests.soak import SOAK
from tests.soak.corruptions import corrupt

DAMAGES = 100 * SOAK


def test_the_command_line_refuses_or_answers_as_before(model: Path) -> None:
    content = model.read_bytes()
    arguments = ["summary", "model.h5", "--json"]
    expected = CliRunner().invoke(cli, arguments).stdout
    codes = set()
    for seed in range(20):
        model.write_bytes(corrupt(content, seed))
        result = CliRunner().invoke(cli, arguments)
        codes.add(result.exit_code)
        if result.exit_code == 0:
            assert result.stdout == expected, seed
        else:
            assert result.stderr.startswith("error: model.h5: "), (seed, result.stderr)
            assert len(result.stderr.splitlines()) == 1, seed
    assert codes == {0, 4}


@pytest.mark.slow
def test_what_is_read_is_refused_or_as_before(model: Path) -> None:
    """Each damage may take five seconds of processor time; few take half of one.

    What ``open_model`` returns, weights included, is all that a command knows of a
    model.
    """
    content = model.read_bytes()
    expected = open_model(model)
    refused = 0
    for seed in range(DAMAGES):
        model.write_bytes(corrupt(content, seed))
        found = _open(model)
        if isinstance(found, str):
            refused += 1
            assert found.startswith("model.h5: "), seed
            assert len(found.splitlines()) == 1, seed
        else:
            assert found == expected, seed
    print(
        f"\nmodel files: {DAMAGES:,} damaged, {refused:,} refused, the others as before"
    )


def _open(path: Path) -> ModelFile | str:
    """Return a model file, or why it is refused."""
    try:
        return open_model(path)
    except ModelFileError as error:
        return str(error)
