"""Files appear whole or not at all, and over nothing unasked."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from unittest import mock

import pytest

from cnncli.errors import OutputError
from cnncli.system.files import (
    NotRegularError,
    open_regular,
    replacing,
    write_file,
    write_new_files,
)


def test_writes_text_as_utf8_and_bytes_as_they_are(tmp_path: Path) -> None:
    write_file(tmp_path / "new" / "a.txt", "naïve\n")
    write_file(tmp_path / "b.bin", b"\x00\xff")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"na\xc3\xafve\n"
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\xff"


def test_temporary_file_keeps_the_suffix_and_stands_beside(tmp_path: Path) -> None:
    with replacing(tmp_path / "model.h5") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".h5"
        temporary.write_bytes(b"x")
        assert not (tmp_path / "model.h5").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]


@pytest.mark.parametrize("failing", ["os.fsync", "pathlib.Path.replace"])
def test_failure_leaves_the_old_file_and_no_other(tmp_path: Path, failing: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    full = OSError(errno.ENOSPC, "No space left on device")
    with (
        mock.patch(failing, side_effect=full),
        pytest.raises(OutputError) as caught,
    ):
        write_file(path, "new")
    assert str(caught.value) == f"{path}: can't write the file: No space left on device"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole_and_takes_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "net"
    for text in ("old", "new"):
        with replacing(path) as temporary:
            (temporary / "inner").mkdir(parents=True)
            (temporary / "inner" / "a.txt").write_text(text)
            (temporary / f"{text}.txt").write_text(text)
    assert sorted(file.name for file in path.rglob("*")) == [
        "a.txt",
        "inner",
        "new.txt",
    ]
    assert (path / "inner" / "a.txt").read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_failure_leaves_the_old_folder_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "net"
    path.mkdir()
    (path / "a.txt").write_text("old")
    renames = iter([True, False])
    rename = Path.rename

    def rename_once(old: Path, new: Path) -> Path:
        if old == path or new != path or not next(renames):
            return rename(old, new)
        raise OSError(errno.EIO, "Input/output error")

    with (
        mock.patch.object(Path, "rename", rename_once),
        pytest.raises(OutputError),
        replacing(path) as temporary,
    ):
        temporary.mkdir()
    assert (path / "a.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_error_in_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_half_way() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_symlink_is_replaced_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("precious")
    link = tmp_path / "link.txt"
    link.symlink_to(other)
    write_file(link, "new")
    assert other.read_text() == "precious"
    assert not link.is_symlink()
    assert link.read_text() == "new"


def test_folder_that_is_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    path = tmp_path / "a" / "b.txt"
    with pytest.raises(OutputError) as caught:
        write_file(path, "x")
    assert str(caught.value) == f"{path}: can't write the file: File exists"


def test_new_file_with_the_same_bytes_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_new_files({path: "same"})
    before = path.stat().st_ino
    write_new_files({path: "same"})
    assert path.stat().st_ino == before


def test_new_file_replaces_other_content_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("other")
    with pytest.raises(OutputError) as caught:
        write_new_files({path: "new"})
    assert str(caught.value) == (
        f"{path}: there is already a file with other content; choose another place, "
        "or replace it with --overwrite"
    )
    assert path.read_text() == "other"
    write_new_files({path: "new"}, overwrite=True)
    assert path.read_text() == "new"


def test_new_file_refuses_a_dangling_symlink(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError):
        write_new_files({path: "new"})
    assert path.readlink() == tmp_path / "nowhere"


def test_of_new_files_none_is_written_if_one_may_not_be(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    second.write_text("other")
    with pytest.raises(OutputError):
        write_new_files({first: "new", second: "new"})
    assert not first.exists()


@pytest.mark.parametrize("obstacle", ["file", "folder"])
def test_of_new_files_none_is_written_if_one_cannot_be(
    tmp_path: Path, obstacle: str
) -> None:
    """Neither a new file nor what is in place of an old one, whichever comes first."""
    first, last = tmp_path / "a.txt", tmp_path / "z.txt"
    last.write_text("old")
    blocked = tmp_path / "b" / "c.txt"
    reason = "File exists" if obstacle == "file" else "Is a directory"
    if obstacle == "file":
        blocked.parent.write_text("")
    else:
        blocked.mkdir(parents=True)
    before = sorted(os.walk(tmp_path))
    with pytest.raises(OutputError) as caught:
        write_new_files({first: "1", blocked: "2", last: "3"}, overwrite=True)
    assert str(caught.value) == f"{blocked}: can't write the file: {reason}"
    assert sorted(os.walk(tmp_path)) == before
    assert last.read_text() == "old"


def test_of_new_files_none_is_written_if_the_disk_is_full(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    contents = {tmp_path / name: name for name in ("a.txt", "b.txt")}
    with (
        mock.patch("os.fsync", side_effect=[None, full]),
        pytest.raises(OutputError) as caught,
    ):
        write_new_files(contents)
    assert str(caught.value) == (
        f"{tmp_path / 'b.txt'}: can't write the file: No space left on device"
    )
    assert list(tmp_path.iterdir()) == []


def test_only_regular_files_are_opened_and_none_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"content")
    with open_regular(path) as file:
        assert file.read() == b"content"
    os.mkfifo(tmp_path / "fifo")
    for other in (tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(NotRegularError), open_regular(other):
            pass
    with pytest.raises(IsADirectoryError), open_regular(tmp_path):
        pass


def test_nothing_else_in_the_package_opens_files_for_writing() -> None:
    package = Path(__file__).parents[1] / "cnncli"
    ways = ("write_text(", "write_bytes(", '"w"', '"wb"', '"xb"', '"a"', "savefig(")
    found = {
        (path.name, way)
        for path in package.rglob("*.py")
        for way in ways
        if way in path.read_text()
    }
    assert found == {
        ("files.py", '"xb"'),  # the one way
        ("fetching.py", '"wb"'),  # what may be gone on with, under a name of its own
        ("arrays.py", '"w"'),  # an archive, into memory
        ("litert.py", '"a"'),  # the same
        ("cli.py", '"w"'),  # the traceback of a bug, to the temporary folder
        ("stderr.py", '"w"'),  # the screen
        ("terminal.py", '"w"'),  # a stream that was closed, to nowhere
        ("style.py", "savefig("),  # into memory
    }
