"""``cnncli fetch``: files over HTTP, from a server in a thread on this machine."""

from __future__ import annotations

import gzip
import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cnncli.config.schema import FashionMNIST
from cnncli.data import fetching
from cnncli.data.fetching import Content, fetch
from cnncli.data.formats.idx_folder import IdxFolder
from cnncli.data.sources import EMBEDDED_FOLDER, FASHION_MNIST_CLASSES, find_source
from cnncli.errors import CnncliError, DataError, OutputError
from tests.builders import dataset_files

if TYPE_CHECKING:
    from tests.conftest import Cli

PLAIN = {f"{name}.gz": content for name, content in dataset_files().items()}
WANTED = {
    name: Content(len(content), hashlib.sha256(content).hexdigest())
    for name, content in PLAIN.items()
}
FIRST = "train-images-idx3-ubyte.gz"
AGAIN = "run the command again to go on"


class Server(ThreadingHTTPServer):
    """Serves files by name, and notes what is asked for.

    Attributes:
        files: Their content.
        asked: The path and the range of each request.
        breaks_after: After how many bytes it breaks off, if it does.
        knows_ranges: Whether it sends parts of files.
        says_length: Whether it says how long they are.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {
            f"/{name}": gzip.compress(text, mtime=0) for name, text in PLAIN.items()
        }
        self.asked: list[tuple[str, str | None]] = []
        self.breaks_after: int | None = None
        self.knows_ranges = True
        self.says_length = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers["Range"]
        server.asked.append((self.path, wanted))
        content = server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = 0
        if wanted and server.knows_ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if server.says_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : server.breaks_after])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def fetched(url: str) -> list[Path]:
    """Fetch the first file."""
    return list(fetch({FIRST: WANTED[FIRST]}, Path("d"), url))


def refusal(url: str, error: type[CnncliError] = DataError) -> str:
    with pytest.raises(error) as caught:
        fetched(url)
    return str(caught.value)


def test_files_are_fetched_once(
    server: Server, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "FASHION_MNIST", WANTED)
    folder = Path("cache/cnncli/fashion-mnist").absolute()
    result = cli("fetch", "fashion-mnist", "--from", server.url)
    assert result.stdout == f"{folder}\n"
    assert result.stderr == "".join(f"fetched: {folder / name}\n" for name in WANTED)
    assert server.asked == [(f"/{name}", None) for name in WANTED]
    assert sorted(path.name for path in folder.iterdir()) == sorted(WANTED)
    result = cli("fetch", "fashion-mnist", "--from", f"{server.url}/")
    assert (result.stdout, result.stderr) == (f"{folder}\n", "")
    assert len(server.asked) == len(WANTED)
    # What has become another file is fetched again.
    (folder / FIRST).write_bytes(b"no longer")
    cli("fetch", "fashion-mnist", "--from", server.url, "--quiet")
    assert server.asked[len(WANTED) :] == [(f"/{FIRST}", None)]
    source = find_source(FashionMNIST(path="fetched"))
    assert source == IdxFolder(folder, FASHION_MNIST_CLASSES)
    assert source.describe().num_train == 30


def test_what_is_not_fetched_yet_is_asked_for(cli: Cli) -> None:
    setting = "data.source={fashion-mnist: {path: fetched}}"
    folder = Path("cache/cnncli/fashion-mnist").absolute()
    assert cli("summary", "--set", setting, exit_code=3).stderr == (
        f"error: {folder}: can't list the folder: No such file or directory; get them "
        "with: cnncli fetch fashion-mnist\n"
    )


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_what_broke_off_is_gone_on_with(server: Server, knows_ranges: bool) -> None:
    content = server.files[f"/{FIRST}"]
    server.breaks_after, server.knows_ranges = 50, knows_ranges
    assert refusal(server.url) == (
        f"{server.url}/{FIRST}: the connection broke off; {AGAIN}"
    )
    part = Path("d", f"{FIRST}.part")
    assert part.read_bytes() == content[:50]
    server.breaks_after = None
    assert fetched(server.url) == [Path("d", FIRST)]
    assert server.asked[1] == (f"/{FIRST}", "bytes=50-")
    assert Path("d", FIRST).read_bytes() == content
    assert not part.exists()


def test_what_was_fetched_but_not_put_in_place_is(server: Server) -> None:
    content = server.files[f"/{FIRST}"]
    Path("d").mkdir()
    Path("d", f"{FIRST}.part").write_bytes(content)
    fetched(server.url)
    assert Path("d", FIRST).read_bytes() == content


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("says_length", [True, False])
def test_a_file_counts_by_its_content(
    server: Server, compress: bool, says_length: bool
) -> None:
    content = PLAIN[FIRST]
    server.files[f"/{FIRST}"] = gzip.compress(content, 1) if compress else content
    server.says_length = says_length
    fetched(server.url)
    assert fetched("http://nowhere.invalid") == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            gzip.compress(b"another", mtime=0),
            "expected SHA-256 {wanted}..., found ae448ac86c4e8e4d...",
        ),
        (b"<!doctype html>", "not IDX but a web page, such as a server sends"),
        (gzip.compress(b"cut", mtime=0)[:-4], "the gzip data is truncated"),
        (gzip.compress(bytes(10**6), mtime=0), "expected SHA-256 {wanted}..., found"),
    ],
)
def test_another_file_is_refused_and_not_kept(
    server: Server, content: bytes, problem: str
) -> None:
    server.files[f"/{FIRST}"] = content
    message = refusal(server.url)
    wanted = WANTED[FIRST].sha256[:16]
    start = f"{server.url}/{FIRST}: not the file that is wanted: "
    assert message.startswith(start + problem.format(wanted=wanted))
    assert message.endswith("; fetch it again, or from another server with --from")
    assert [*Path("d").iterdir()] == []


def test_no_more_is_fetched_than_the_files_may_have(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_LARGEST", 10)
    assert refusal(server.url) == (
        f"{server.url}/{FIRST}: not the file that is wanted: over 10 bytes"
    )


def test_a_server_that_does_not_help_is_named(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{server.url}/there/{FIRST}"
    assert refusal(f"{server.url}/there") == (
        f"{address}: the server answers 404 Not Found; name another one with --from"
    )
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        monkeypatch.setattr(fetching, "TIMEOUT", 0.1)
        assert refusal(url) == (
            f"{url}/{FIRST}: the server has sent nothing for 0.1 seconds; {AGAIN}"
        )
    assert refusal(url) == (
        f"{url}/{FIRST}: can't fetch it: Connection refused; {AGAIN}, or name another "
        "server with --from"
    )


def test_a_folder_that_can_not_be_written_is_named(server: Server) -> None:
    Path("d").write_text("in the way")
    assert refusal(server.url, OutputError) == (
        f"d/{FIRST}: can't write the file: File exists"
    )


def test_only_http_is_taken(cli: Cli) -> None:
    result = cli("fetch", "fashion-mnist", "--from", "file:///etc", exit_code=2)
    assert result.stderr.endswith(
        "Error: Invalid value for '--from': 'file:///etc' doesn't begin with http:// "
        "or https://.\n"
    )


def test_the_files_wanted_are_those_in_the_package() -> None:
    """The test images travel in the package whole."""
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        content = gzip.decompress((EMBEDDED_FOLDER / name).read_bytes())
        known = Content(len(content), hashlib.sha256(content).hexdigest())
        assert fetching.FASHION_MNIST[name] == known
    sizes = [content.size for content in fetching.FASHION_MNIST.values()]
    assert sizes == [16 + 60_000 * 784, 8 + 60_000, 16 + 10_000 * 784, 8 + 10_000]
