"""The program: ``cnncli``, and ``python -m cnncli``."""

from __future__ import annotations

import sys

from cnncli.errors import PlatformError


def main() -> None:
    """Run the command line, on a system that has what it imports."""
    if sys.platform == "win32":
        error = PlatformError(
            "cnncli runs on Linux and macOS; on Windows use WSL: "
            "https://learn.microsoft.com/windows/wsl/install"
        )
        sys.stderr.writelines(f"{line}\n" for line in error.lines())
        sys.exit(error.exit_code)
    from cnncli.cli import main as run  # noqa: PLC0415 -- Windows can't import it

    run()


if __name__ == "__main__":
    main()
