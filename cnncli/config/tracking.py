"""Where a tracker keeps runs, as a config says it and as MLflow does."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from cnncli.config.problems import quoted

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST_AND_PORT = re.compile(r"[^\s/:]+:\d+(/.*)?")
_SQLITE = "sqlite:///"


def tracking_uri(place: str) -> str:
    """Return the URI by which MLflow knows a place.

    Args:
        place: A folder, which may begin with ``file:``, ``sqlite:///`` and a file, or
            the address of a server. What is relative is so to the working folder.

    Raises:
        ValueError: It is none of these; the message says what is expected.
    """
    if place != place.strip():
        raise ValueError(f"must not begin or end with a space, got {quoted(place)}")
    if _HOST_AND_PORT.fullmatch(place):
        raise ValueError(f"a server needs http:// or https://, got {quoted(place)}")
    match = _SCHEME.match(place)
    scheme = match[1].lower() if match else ""
    if scheme in ("http", "https"):
        return _server(place)
    if scheme == "sqlite":
        return _SQLITE + str(_database(place))
    if scheme == "file":
        return _folder(place).as_uri()
    if not scheme:
        return Path(place).absolute().as_uri()
    raise ValueError(
        "must be a folder, sqlite:/// and a file, or http:// or https:// and a server, "
        f"got {quoted(place)}"
    )


def _server(place: str) -> str:
    """Return a server's address, if it is one and holds no secret."""
    parts = _split(place)
    if parts.username is not None:
        raise ValueError(
            "must hold no user and password, which config.yaml and model.h5 would "
            "carry; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
        )
    if not parts.hostname or re.search(r"\s", place):
        raise ValueError(f"needs a server after {parts.scheme}://, got {quoted(place)}")
    if parts.query or parts.fragment:
        raise ValueError(
            "must be a server's address alone, such as "
            f"{parts.scheme}://{parts.netloc}, got {quoted(place)}"
        )
    return parts.geturl().rstrip("/")


def _database(place: str) -> Path:
    name = place[len(_SQLITE) :]
    if place[: len(_SQLITE)].lower() != _SQLITE or not name or "?" in name:
        raise ValueError(
            f"must be sqlite:/// and a file, such as sqlite:///mlflow.db, got "
            f"{quoted(place)}"
        )
    return Path(name).absolute()


def _folder(place: str) -> Path:
    parts = _split(place)
    is_here = parts.netloc in ("", "localhost")
    if not is_here or not parts.path or parts.query or parts.fragment:
        raise ValueError(
            "must be file:// and the whole path of a folder, such as "
            f"file:///home/me/mlruns, got {quoted(place)}"
        )
    return Path(unquote(parts.path)).absolute()


def _split(place: str) -> SplitResult:
    """Split a URI, whose port must be one."""
    try:
        parts = urlsplit(place)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"is no address: {error}, got {quoted(place)}") from error
    return parts
