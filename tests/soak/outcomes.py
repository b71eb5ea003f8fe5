"""What may become of any input, however wrong."""

from __future__ import annotations

import re

EXIT_CODES = (0, 2, 3, 4, 5, 6, 7)
_LINE = re.compile(r"(error|warning|note): \S.*|--set .*|[^:]+(:\d+:\d+)?: \S.*")


def fault_of_outcome(exit_code: int, stderr: str) -> str | None:
    """Say what is wrong with how a command ended; None if nothing is.

    Args:
        exit_code: What the process exited with; below 0 if a signal killed it.
        stderr: All that it wrote there.
    """
    lines = stderr.splitlines()
    if exit_code not in EXIT_CODES:
        return f"exit code {exit_code}: {lines[-1:]}"
    if exit_code and not lines:
        return f"exit code {exit_code} without a word"
    for line in lines:
        if not line.isprintable() or not _LINE.fullmatch(line):
            return f"not a line as it should be: {line!r}"
        if "Traceback" in line or "a bug" in line:
            return line
    return None
