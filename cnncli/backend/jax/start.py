"""JAX, started so that a run can be repeated bit for bit."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cnncli.architecture.batches import check_shares, processor_devices
from cnncli.errors import PlatformError
from cnncli.system.processor import available_threads
from cnncli.system.signals import signals_held
from cnncli.system.stderr import native_stdout_to_stderr

if TYPE_CHECKING:
    import jax

    from cnncli.backend.jax.backend import Jax
    from cnncli.config import Config
    from cnncli.processes.group import Group

_DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


@contextmanager
def started(config: Config, group: Group, devices: int | None) -> Iterator[Jax]:
    """Import JAX and Keras, and set them up for a config.

    Args:
        config: A resolved config; its seed decides initial weights, dropout and random
            layers, and its number of threads is kept to.
        group: The processes that train together.
        devices: How many devices each process uses; without it all of its GPUs, or as
            many parts of its processor as ``processor_devices`` says.

    Yields:
        What can be done with them.

    Raises:
        ConfigError: A batch can't be shared out to the devices.
        PlatformError: There are fewer devices, or none.
        ProcessesError: The processes can't be connected.
    """
    on_processor = devices or processor_devices(config.training.batch_size, group.count)
    threads = config.training.threads or available_threads()
    _set_environment(threads, on_processor * group.count)
    with signals_held():
        _import_jax(on_processor)
    from cnncli.backend.jax.distributed import connected

    with native_stdout_to_stderr(), connected(group):
        with signals_held():
            backend = _prepared(config, group, devices, threads)
        yield backend


def _import_jax(on_processor: int) -> None:
    """Import JAX, with a processor as some devices."""
    import jax

    jax.config.update("jax_enable_x64", False)
    jax.config.update("jax_num_cpu_devices", on_processor)
    # Steps that run ahead could take the threads that devices wait for each other on.
    jax.config.update("jax_cpu_enable_async_dispatch", on_processor == 1)


def _prepared(config: Config, group: Group, devices: int | None, threads: int) -> Jax:
    """Import Keras, and find the devices."""
    import keras
    from absl import logging
    from keras.src.utils import module_utils

    from cnncli.backend.jax.backend import Jax
    from cnncli.backend.jax.devices import Devices, Layout, found_devices

    logging.set_verbosity(logging.ERROR)
    # Keras would import it to save a model, and have no use for it.
    module_utils.tensorflow._available = False  # noqa: SLF001
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    keras.utils.clear_session(free_memory=False)  # names count from 1 in every run
    # What Keras's own function for it does, but for importing TensorFlow.
    random.seed(config.seed)
    every = _chosen(found_devices(), devices)
    check_shares(config.training.batch_size, len(every))
    own = [device for device in every if device.process_index == group.index]
    layouts = Devices(Layout(tuple(own)), Layout(tuple(every)))
    return Jax(layouts, group.count, threads)


def _set_environment(threads: int, devices: int) -> None:
    """Set what JAX and Keras read when they are imported."""
    os.environ["KERAS_BACKEND"] = "jax"
    # Keras reads a keras.json from its home, where anyone may have put one, or writes
    # one there; here it can do neither.
    os.environ["KERAS_HOME"] = os.devnull
    # Parts of the processor wait for each other on threads; how many there are decides
    # bits, so that it is the same number however many processes have the parts.
    os.environ["PJRT_NPROC"] = str(max(threads, 2 * devices))
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} {_DETERMINISTIC}".strip()


def _chosen(every: list[jax.Device], each: int | None) -> list[jax.Device]:
    """Return the first devices of each process, in the order of the processes.

    Raises:
        PlatformError: A process has fewer.
    """
    of_process: dict[int, list[jax.Device]] = {}
    for device in every:
        of_process.setdefault(device.process_index, []).append(device)
    for number, devices in of_process.items():
        if each and len(devices) < each:
            raise PlatformError(
                f"--devices {each}: process {number} has {len(devices)} of kind "
                f"{devices[0].device_kind}"
            )
    return [
        device for _, owned in sorted(of_process.items()) for device in owned[:each]
    ]
