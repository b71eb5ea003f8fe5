"""Facts of a run for those who look closer: manifest.json in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LABELS = {
    "started": "started",
    "seed": "seed",
    "precision": "precision",
    "backend": "backend",
    "processes": "processes",
    "threads": "threads",
    "batch_parts": "parts of a batch",
    "cnncli": "cnncli",
    "git_commit": "git commit",
    "python": "Python",
    "versions": "versions",
    "machine": "machine",
    "processor": "processor",
    "devices": "devices",
    "onednn": "oneDNN",
}
_DATA = {
    "train_images": "training images",
    "validation_images": "validation images",
    "test_images": "test images",
    "split_digest": "digest of the split",
    "fingerprints": "SHA-256 of the images",
}


def manifest_facts(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a manifest says, each with a name for it.

    Args:
        manifest: Of perhaps unknown origin; what it lacks is left out.
    """
    yield from _named(manifest, _LABELS)
    data, files = manifest.get("data"), manifest.get("files")
    if isinstance(data, dict):
        yield from _named(data, _DATA)
    if isinstance(files, dict):
        for name, digest in files.items():
            yield f"SHA-256 of {name}", str(digest)


def _named(
    values: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for key, name in names.items():
        if values.get(key) is not None:
            yield name, _in_words(values[key])


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
