"""Where a tracker keeps runs, as a config says it and as MLflow does."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cnncli.config.problems import quoted

PLACES = (
    r"https?://[^\s/?#@]+(/[^\s?#]*)?",
    r"sqlite:///[^?]+",
    r"file:(///|(?!//))[^?#]+",
    r"(?![A-Za-z][A-Za-z0-9+.-]*:)(?![^\s/:]+:\d+(/|$)).+",  # a path
)
"""Patterns of what a place may be; it neither begins nor ends with a space."""

_PLACE = re.compile("|".join(PLACES))
_SECRET = re.compile("https?://[^/?#]*@")


def place_fault(text: str) -> str | None:
    """Return what is wrong with text that is to be a tracker's place."""
    if _SECRET.match(text):
        return (
            "must hold no user and password, which config.yaml and model.h5 would "
            "carry; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
        )
    if text == text.strip() and _PLACE.fullmatch(text):
        return None
    return (
        "must be a folder, sqlite:/// and a file, or http:// or https:// and a server, "
        f"got {quoted(text)}"
    )


def tracking_uri(place: str) -> str:
    """Return the URI by which MLflow knows a place.

    Args:
        place: A folder, which may begin with ``file:``, ``sqlite:///`` and a file, or
            the address of a server. What is relative is so to the working folder.
    """
    if place.startswith(("http://", "https://")):
        return place.rstrip("/")
    if place.startswith("sqlite:///"):
        return f"sqlite:///{Path(place.removeprefix('sqlite:///')).absolute()}"
    is_uri = place.startswith("file:")
    return Path(unquote(urlsplit(place).path) if is_uri else place).absolute().as_uri()
