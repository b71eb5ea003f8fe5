"""TensorFlow, started so that a run can be repeated bit for bit."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from cnncli.architecture.batches import batch_parts, sees_whole_batch
from cnncli.errors import PlatformError
from cnncli.system.processor import available_threads, is_x86_64

if TYPE_CHECKING:
    from cnncli.backend.interface import ExplainingBackend
    from cnncli.config import Config


def start(
    config: Config, *, lean: bool = False, devices: int | None = None
) -> ExplainingBackend:
    """Import TensorFlow and Keras, and set them up for a config.

    Args:
        config: A resolved config; its seed decides initial weights, dropout and random
            layers, and its number of threads is kept to.
        lean: Whether Keras is imported without pandas and Matplotlib, 60 MB that
            training doesn't need. It then does without them as long as the process
            lives, so this is for a process that is all the program's own.
        devices: How many GPUs share each batch; without it, all that there are.

    Returns:
        What can be done with them.

    Raises:
        PlatformError: There are fewer GPUs, or the network can't be shared by several.
    """
    threads = config.training.threads or available_threads()
    parts = batch_parts(config)
    _set_environment()
    _import_tensorflow(lean=lean)
    import keras
    import tensorflow as tf
    from absl import logging

    from cnncli.backend.tensorflow.backend import TensorFlow

    logging.set_verbosity(logging.ERROR)
    # Of how often it traces a graph, which grouped convolutions do, nobody has asked.
    tf.get_logger().setLevel("ERROR")
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
    return TensorFlow(_chosen_gpus(config, devices))


def _chosen_gpus(config: Config, count: int | None) -> list[str]:
    """Return the names of the first GPUs; the others are left to other programs.

    Raises:
        PlatformError: There are fewer, or the network can't be computed on several.
    """
    import tensorflow as tf

    every = tf.config.list_physical_devices("GPU")
    if count and count > len(every):
        raise PlatformError(
            f"--devices {count}: TensorFlow finds {len(every)} GPUs here; its threads "
            "on a processor are set with training.threads, and --backend jax takes a "
            "processor for devices"
        )
    if count and count > 1 and sees_whole_batch(config):
        raise PlatformError(
            f"--devices {count}: BatchNormalization looks at whole batches, which on "
            "TensorFlow one GPU computes; try --backend jax"
        )
    if not every:
        return []
    tf.config.set_visible_devices(every[:count], "GPU")
    return [device.name for device in tf.config.list_logical_devices("GPU")]


def _set_environment() -> None:
    """Set what TensorFlow and Keras read when they are imported."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "1"
    # Keras reads a keras.json from its home, where anyone may have put one, or writes
    # one there; here it can do neither.
    os.environ["KERAS_HOME"] = os.devnull
    # Otherwise the convolutions' gradients are set up anew in every step, which costs
    # 3 % of it, and 6 % in bfloat16.
    os.environ["TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE"] = "false"
    # TensorFlow takes oneDNN's convolutions by itself only on the newest processors;
    # on those with AVX2 they are three times as fast as its own. Whoever has set this
    # is left in peace.
    if is_x86_64() and "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def _import_tensorflow(*, lean: bool) -> None:
    """Import TensorFlow and Keras in no more time and memory than they need.

    The half a million objects that they make stay. Looking for garbage among them takes
    a fifth of the time here, and would later take as long again and again.
    """
    if "tensorflow" in sys.modules:
        return
    optional = ("matplotlib", "pandas") if lean else ()
    hidden = [name for name in optional if name not in sys.modules]
    gc.disable()
    try:
        sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
        gc.enable()
    gc.freeze()
