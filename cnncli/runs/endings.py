"""Endings of a run: noted in its folder, with the way to go on where there is one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

from cnncli.config import config_to_yaml
from cnncli.errors import (
    ConfigError,
    DiedError,
    ModelFileError,
    OutputError,
    ProcessesError,
    StoppedError,
    TrainingError,
)
from cnncli.modelfile.place import STATE_NAME
from cnncli.runs.folder import LOG
from cnncli.runs.manifest import first_manifest
from cnncli.system.files import write_file

if TYPE_CHECKING:
    from cnncli.config import Config
    from cnncli.runs.folder import RunFolder
    from cnncli.system.signals import StopRequest
    from cnncli.training.progress import TrainingProgress


@contextmanager
def ending_noted(folder: RunFolder, log: BinaryIO) -> Iterator[None]:
    """Note in the manifest that a run failed or was stopped; keep the log.

    Args:
        folder: The run's.
        log: What libraries wrote to stderr.

    Raises:
        OutputError: As in the block, with how to go on.
        StoppedError: As in the block, or for a second Ctrl-C.
        TrainingError: As in the block, or memory ran out.
    """
    try:
        yield
    except (ConfigError, ModelFileError):
        raise  # the run can't go on here, and stays what it was
    except StoppedError:
        _note_end(folder, log, "stopped")
        raise
    except KeyboardInterrupt as error:
        _note_end(folder, log, "stopped")
        if not (folder / STATE_NAME).exists():
            raise
        message = f"stopped; go on with: {folder.resume_command}"
        raise StoppedError(signal.SIGINT, message) from error
    except MemoryError as error:
        _note_end(folder, log, "failed", reason="memory ran out")
        raise TrainingError(
            "memory ran out; close other programs, then go on with: "
            f"{folder.resume_command}"
        ) from error
    except OutputError as error:
        _note_end(folder, log, "failed", reason=str(error))
        if not (folder / STATE_NAME).exists():
            raise
        raise OutputError(
            f"{error}; what was trained is kept: make room, then go on with: "
            f"{folder.resume_command}"
        ) from error
    except Exception as error:
        _note_end(folder, log, "failed", reason=str(error).partition("\n")[0])
        raise


@contextmanager
def death_noted(folder: RunFolder, config: Config) -> Iterator[None]:
    """Note in the manifest that the run's process was ended; keep the log.

    Args:
        folder: The run's.
        config: The run's.

    Raises:
        DiedError: As in the block, with how to go on.
        ProcessesError: Likewise.
    """
    before = folder.manifest()
    try:
        yield
    except (DiedError, ProcessesError) as error:
        reason = str(error)
        log = BytesIO(error.log)
        if folder.manifest() != before:
            _note_end(folder, log, "failed", reason=reason)
        elif not folder.holds_anything():
            with suppress(OutputError):
                folder.start(config_to_yaml(config), first_manifest(config, {}))
            _note_end(folder, log, "failed", reason=reason)
        if folder.manifest() == before or not (folder / STATE_NAME).exists():
            raise
        raise type(error)(
            f"{error}; go on with: {folder.resume_command}", error.log
        ) from error


def stop_if_asked(
    request: StopRequest, folder: RunFolder, progress: TrainingProgress
) -> None:
    """Stop if a signal has asked for it; the state is on the disk.

    Raises:
        StoppedError: There was a signal.
    """
    if request.signal:
        raise StoppedError(
            request.signal,
            f"stopped {progress.position}; go on with: {folder.resume_command}",
        )


def write_log(folder: RunFolder, log: BinaryIO) -> None:
    """Write what libraries wrote to stderr into the run folder."""
    log.seek(0)
    write_file(folder / LOG, log.read())


def _note_end(folder: RunFolder, log: BinaryIO, status: str, **more: Any) -> None:
    """Note how a run ended, if it had begun and there is still room to."""
    with suppress(OutputError):
        if folder.manifest().get("status") == "running":
            folder.finish(status, **more)
            write_log(folder, log)
