"""What a user reads when a config is wrong: whole messages, and never a traceback.

Most configs with their messages are in config_errors.txt; here is what can't stand in a
text file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cnncli.cli import cli as group
from cnncli.config.document import MAX_BYTES
from cnncli.config.parsing import MAX_VALUES

if TYPE_CHECKING:
    from tests.conftest import Cli

TESTS = Path(__file__).parent
SHIPPED = [path.read_text() for path in sorted((TESTS.parent / "configs").iterdir())]
NETWORK = "model: {layers: [Flatten, Dense: {units: 10, activation: softmax}]}\n"
EMPTY = "bad.yaml:1:1: the config is empty; it needs at least a model\n"


@pytest.mark.parametrize(
    ("content", "stderr"),
    [
        pytest.param(b"", EMPTY, id="empty"),
        pytest.param(b"\xef\xbb\xbf", EMPTY, id="byte order mark alone"),
        pytest.param(
            b"name: a\0b\n",
            "bad.yaml:1:8: the character U+0000 is not allowed\n",
            id="NUL",
        ),
        pytest.param(
            b"# one\r\n# two\r\nname: \x1b[31m\r\n",
            "bad.yaml:3:7: the character U+001B is not allowed\n",
            id="ESC",
        ),
        pytest.param(
            "name: é\x9b31m\n".encode(),
            "bad.yaml:1:8: the character U+009B is not allowed\n",
            id="C1 control character",
        ),
        pytest.param(
            b"name: caf\xe9\n",
            "bad.yaml: a config must be UTF-8 text, but byte 9 is 0xe9\n",
            id="Latin-1",
        ),
        pytest.param(
            NETWORK.encode("utf-16"),
            "bad.yaml: a config must be UTF-8 text, but this is UTF-16, as "
            "PowerShell's '>' and Notepad may write it; save it as UTF-8\n",
            id="UTF-16",
        ),
        pytest.param(
            b"\xed\xa0\x80: 1\n",
            "bad.yaml: a config must be UTF-8 text, but byte 0 is 0xed\n",
            id="half a character",
        ),
        pytest.param(
            b"\x89PNG\r\n\x1a\n",
            "bad.yaml: a config must be UTF-8 text, but byte 0 is 0x89\n",
            id="picture",
        ),
        pytest.param(
            b"#" * (MAX_BYTES + 1),
            "bad.yaml: a config may have at most 262,144 bytes\n",
            id="too many bytes",
        ),
        pytest.param(b"#" * MAX_BYTES, EMPTY, id="as many bytes as there may be"),
        pytest.param(
            b"seed: [" + b"1," * MAX_VALUES + b"]",
            "bad.yaml:1:10004: a config may hold at most 5,000 values\n",
            id="too many values",
        ),
        pytest.param(
            b"[" * 100_000,
            "bad.yaml:1:18: nested deeper than 16 levels\n",
            id="too many brackets",
        ),
        pytest.param(
            b"&a {" * 50_000,
            "bad.yaml:1:1: anchors (&a) are not allowed\n",
            id="too many anchors",
        ),
        pytest.param(
            b"model: {layers: [" + b"Flatten," * 201 + b"]}",
            "bad.yaml:1:9: model.layers: must have 1 to 200 entries, got 201\n",
            id="too many layers",
        ),
        pytest.param(
            b"%YAML 1." + b"9" * 5000 + b"\n---\nseed: 1\n",
            "bad.yaml:1:1: not valid YAML: a number in what follows is out of range\n",
            id="version of many digits",
        ),
    ],
)
def test_bytes_are_refused(content: bytes, stderr: str, cli: Cli) -> None:
    Path("bad.yaml").write_bytes(content)
    result = cli("summary", "bad.yaml", exit_code=2)
    assert (result.stdout, result.stderr) == ("", stderr)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_line_ends_and_byte_order_mark_change_nothing(
    mark: bytes, end: bytes, cli: Cli
) -> None:
    documented = (TESTS.parent / "configs" / "fashion-mnist.yaml").read_bytes()
    Path("good.yaml").write_bytes(mark + documented.replace(b"\n", end))
    assert cli("summary", "good.yaml").stdout == cli("summary").stdout


def test_message_escapes_the_name_of_the_file(cli: Cli) -> None:
    Path("\x1b[31m.yaml").touch()
    result = cli("summary", "\x1b[31m.yaml", exit_code=2)
    assert result.stderr == EMPTY.replace("bad", r"\x1b[31m")


def test_missing_file(cli: Cli) -> None:
    result = cli("summary", "no/such.yaml", exit_code=2)
    assert result.stderr == "no/such.yaml: no such config file\n"


def test_folder(cli: Cli) -> None:
    Path("configs").mkdir()
    result = cli("train", "configs", exit_code=2)
    assert result.stderr == "configs: can't read the config: Is a directory\n"


def test_file_as_folder(cli: Cli) -> None:
    Path("file").touch()
    result = cli("summary", "file/x.yaml", exit_code=2)
    assert result.stderr == "file/x.yaml: can't read the config: Not a directory\n"


def test_fifo_does_not_block(cli: Cli) -> None:
    os.mkfifo("fifo")
    result = cli("summary", "fifo", exit_code=2)
    assert result.stderr == "fifo: a config must be a regular file\n"


def test_endless_device(cli: Cli) -> None:
    result = cli("summary", "/dev/zero", exit_code=2)
    assert result.stderr == "/dev/zero: a config must be a regular file\n"


def test_link_to_itself(cli: Cli) -> None:
    Path("loop.yaml").symlink_to("loop.yaml")
    result = cli("summary", "loop.yaml", exit_code=2)
    expected = "can't read the config: Too many levels of symbolic links"
    assert result.stderr == f"loop.yaml: {expected}\n"


def test_unreadable_file(cli: Cli) -> None:
    result = cli("summary", "/proc/self/mem", exit_code=2)
    expected = "can't read the config: Input/output error"
    assert result.stderr == f"/proc/self/mem: {expected}\n"


ELSEWHERE = (
    "data.source.fashion-mnist.path says where it is: change that in the config, or "
    "with --set data.source.fashion-mnist.path=FOLDER"
)


@pytest.mark.parametrize(
    ("path", "stderr"),
    [
        (
            "nowhere",
            "error: nowhere: can't list the folder: No such file or directory; "
            f"{ELSEWHERE}\n",
        ),
        (
            "~nosuchuser/images",
            "error: ~nosuchuser/images: there is no user with such a home folder; "
            "write the path without '~'\n",
        ),
        (
            ".",
            "error: .: expected the four IDX files of a data set, each plain or with "
            ".gz; missing: train-images-idx3-ubyte, train-labels-idx1-ubyte, "
            f"t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte; {ELSEWHERE}\n",
        ),
        (
            "x" * 300,
            f"error: {'x' * 300}: can't list the folder: File name too long; "
            f"{ELSEWHERE}\n",
        ),
    ],
    ids=["missing", "unknown user", "empty", "long"],
)
def test_missing_data(path: str, stderr: str, cli: Cli) -> None:
    source = f"data.source={{fashion-mnist: {{path: {path}}}}}"
    assert cli("summary", "--set", source, exit_code=3).stderr == stderr


def test_a_wrong_config_goes_before_missing_data(cli: Cli) -> None:
    settings = ("--set", "data.source.fashion-mnist.path=nowhere", "--set", "seed=-1")
    result = cli("summary", *settings, exit_code=2)
    assert result.stderr == "--set seed=-1: seed: must be at least 0, got -1\n"


VALUES = [
    *("", "~", "no", "0", "-1", "1e3", ".nan", "9" * 40, "[]", "[3, 0]", "[[1], 2]"),
    *("{}", "{a: 1}", "{type: x}", "{Adam: }", "- x", "'", '"', '"\\0"', '"\\ud800"'),
    *("&a", "*a", "!!python/name:os.system", "@", "%", "\t", "\0", "\x1b", "é", "|"),
    *("{", "]", "---", "? ", "<<: 1", "Conv2D", "val_acc", "~nosuchuser/x", "#"),
]


@st.composite
def edited_configs(draw: st.DrawFn) -> str:
    """Draw a shipped config in which some values or other pieces are replaced."""
    text = draw(st.sampled_from(SHIPPED))
    for _ in range(draw(st.integers(1, 4))):
        values = [match.span() for match in re.finditer(r"(?<=: )[^ {}\[\],\n]+", text)]
        anywhere = draw(st.integers(0, len(text)))
        piece = (anywhere, anywhere + draw(st.integers(0, 20)))
        start, end = draw(st.sampled_from([*values, piece]))
        text = text[:start] + draw(st.sampled_from(VALUES)) + text[end:]
    return text


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("edited") / "edited.yaml"


@given(text=edited_configs())
def test_any_edit_is_read_or_refused_in_lines(text: str, edited: Path) -> None:
    edited.write_text(text)
    result = CliRunner().invoke(group, ["summary", str(edited)])
    assert result.exit_code in (0, 2, 3), result.output
    lines = result.stderr.splitlines()
    assert bool(lines) == (result.exit_code != 0)
    starts = rf"error: |{re.escape(str(edited))}(:\d+:\d+)?: "
    assert all(re.match(starts, line) and line.isprintable() for line in lines)
    assert not re.search("Input should|valid (string|tuple|int)|Field", result.stderr)
