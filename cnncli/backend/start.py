"""The process around TensorFlow: environment, threads, seeds and its start-up lines."""

from __future__ import annotations

import gc
import io
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from cnncli.errors import OutputError

if TYPE_CHECKING:
    from cnncli.config import Config

_PACKAGES = ("tensorflow", "keras", "numpy", "h5py", "pandas", "matplotlib")


@contextmanager
def native_stderr_in_log() -> Iterator[BinaryIO]:
    """Send what libraries write to file descriptor 2 to a log instead of the screen.

    TensorFlow writes start-up lines there from C++, which no setting silences.
    Python's ``sys.stderr`` still reaches the screen.

    Yields:
        The log, a temporary file that is gone after the block.

    Raises:
        OutputError: There is no place for temporary files.
    """
    screen = os.dup(2)
    python_stderr = sys.stderr
    with _temporary_file() as log:
        os.dup2(log.fileno(), 2)
        if _writes_to(python_stderr, 2):
            sys.stderr = os.fdopen(
                os.dup(screen), "w", buffering=1, errors="backslashreplace"
            )
        try:
            yield log
        finally:
            if sys.stderr is not python_stderr:
                sys.stderr.close()
                sys.stderr = python_stderr
            os.dup2(screen, 2)
            os.close(screen)


def start_tensorflow(config: Config) -> None:
    """Import TensorFlow and Keras so that a run can be repeated bit for bit.

    Args:
        config: A resolved config; its seed decides initial weights, dropout and random
            layers, and its number of threads is kept to.
    """
    threads = config.training.threads or available_threads()
    parts = batch_parts(config)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "1"
    # Keras reads a keras.json from its home, where anyone may have put one, or writes
    # one there; here it can do neither.
    os.environ["KERAS_HOME"] = os.devnull
    # Otherwise the convolutions' gradients are set up anew in every step, which costs
    # 3 % of it, and 6 % in bfloat16.
    os.environ["TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE"] = "false"
    _import_tensorflow()
    import keras
    import tensorflow as tf
    from absl import logging

    logging.set_verbosity(logging.ERROR)
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    try:
        tf.config.threading.set_intra_op_parallelism_threads(max(1, threads // parts))
        tf.config.threading.set_inter_op_parallelism_threads(max(parts, threads))
    except RuntimeError:
        # TensorFlow runs already, in a notebook or a test: its threads stay, and the
        # manifest says which.
        pass
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session(free_memory=False)  # names count from 1 in every run
    keras.utils.set_random_seed(config.seed)


def _import_tensorflow() -> None:
    """Import TensorFlow and Keras, and neither more nor longer than they need.

    The half a million objects that they make stay. Looking for garbage among them takes
    a fifth of the time here, and would later take as long again and again. Keras also
    imports libraries that it can do without: 60 MB that training doesn't need.
    """
    if "tensorflow" in sys.modules:
        return
    spared = [name for name in ("matplotlib", "pandas") if name not in sys.modules]
    gc.disable()
    try:
        sys.modules.update(dict.fromkeys(spared))  # type: ignore[arg-type]
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    finally:
        for name in spared:
            del sys.modules[name]
        gc.enable()
    gc.freeze()


def describe_runtime() -> dict[str, object]:
    """Return what else decides a run's bits: versions, threads and machine."""
    import tensorflow as tf

    return {
        "python": platform.python_version(),
        "versions": {package: version(package) for package in _PACKAGES},
        "threads": {
            "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
        },
        "machine": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "devices": [device.device_type for device in tf.config.list_physical_devices()],
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
    }


def processor_name() -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("ascii", "replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    return next(named, platform.machine())


def available_threads() -> int:
    """Return how many processor threads this process may use."""
    return len(os.sched_getaffinity(0))


def batch_parts(config: Config) -> int:
    """Return in how many parts, computed in parallel, a batch is best cut.

    Two parts use two threads better than operations that share both do. A layer that
    looks at the whole batch forbids it.
    """
    whole = any(layer.type == "BatchNormalization" for layer in config.model.layers)
    return 1 if whole or config.training.threads == 1 else 2


def _temporary_file() -> BinaryIO:
    try:
        return cast("BinaryIO", tempfile.TemporaryFile())
    except OSError as error:
        raise OutputError(
            f"can't make a temporary file, as TensorFlow does too: {error.strerror}; "
            "set TMPDIR to a folder that can be written"
        ) from error


def _writes_to(stream: object, descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor  # type: ignore[attr-defined,no-any-return]
    except (AttributeError, OSError, ValueError, io.UnsupportedOperation):
        return False
