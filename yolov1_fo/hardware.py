"""The hardware that this process computes with: devices, memory, fastest precision."""

import contextlib
import contextvars
import math
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_CAPABILITY = 8.0
"""Lowest compute capability of NVIDIA GPUs that compute in bfloat16."""


def has_accelerator() -> bool:
    """Returns whether computations run on a device other than the CPU."""
    chosen = _chosen_device.get()
    names = [chosen] if chosen else keras.distribution.list_devices()
    return not all(name.startswith("cpu") for name in names)


def planned_device() -> tuple[bool, bool]:
    """Returns whether a training will run on an accelerator, and on one with bfloat16.

    Unlike `has_accelerator`, it does not start TensorFlow's or JAX's devices: their
    number and memory can be set only before. On JAX, an accelerator is expected where
    NVIDIA's driver is installed.
    """
    if keras.backend.backend() == "jax":
        return shutil.which("nvidia-smi") is not None, False
    if _chosen_device.get().startswith("cpu") or len(_device_names()) == 1:
        return False, False
    return True, _compute_capability() >= BFLOAT16_CAPABILITY


def _device_names() -> list[str]:
    """Returns the names of all devices; does not start those of TensorFlow."""
    if keras.backend.backend() == "jax":
        return keras.distribution.list_devices()
    import tensorflow as tf

    names = [one.name for one in tf.config.list_physical_devices()]
    return [name.removeprefix("/physical_device:").lower() for name in names]


_chosen_device: contextvars.ContextVar[str] = contextvars.ContextVar(
    "device", default=""
)


def find_device(device: int | str) -> str:
    """Returns the name of a device as Keras spells it, such as `gpu:1`.

    Args:
        device: number of an accelerator, `cpu`, `gpu`, or a name such as `gpu:1`

    Raises:
        ValueError: if there is no such device
        TypeError: if it is neither a number nor a name
    """
    if isinstance(device, bool) or not isinstance(device, int | str):
        raise TypeError(f"device must be a number or a name, got {device!r}")
    names = _device_names()
    kinds = sorted({name.partition(":")[0] for name in names} - {"cpu"})
    wanted = str(device).strip().lower()
    if wanted.isdecimal():
        wanted = f"{kinds[0] if kinds else 'gpu'}:{wanted}"
    elif ":" not in wanted:
        wanted += ":0"
    if wanted not in names:
        raise ValueError(
            f"device {device!r} does not exist; there are: {', '.join(names)}"
        )
    return wanted


@contextlib.contextmanager
def on_device(device: int | str | None, devices: int | None = None) -> Iterator[None]:
    """Runs all computations inside the context on one device.

    Args:
        device: as in `find_device`; None is the backend's choice
        devices (None): number of devices that the caller wants to share each batch

    Raises:
        ValueError: if there is no such device, or several are wanted
        TypeError: if it is neither a number nor a name
    """
    if device is None:
        yield
        return
    if isinstance(devices, int) and devices > 1:
        raise ValueError(
            f"device={device!r} names one device, and devices={devices} wants several; "
            "choose one of them; CUDA_VISIBLE_DEVICES selects several GPUs"
        )
    name = find_device(device)
    token = _chosen_device.set(name)
    try:
        with keras.device(name):
            yield
    finally:
        _chosen_device.reset(token)


def fastest_precision() -> str:
    """Returns bfloat16 if the device supports it in hardware, else float32.

    CPUs need AVX512-BF16 or AMX, which is detected on Linux only; NVIDIA GPUs compute
    capability 8.0; TPUs always support it. Other accelerators count as float32.
    """
    if has_accelerator():
        is_fast = _compute_capability() >= BFLOAT16_CAPABILITY
        return "bfloat16" if is_fast else "float32"
    try:
        flags = CPU_INFO.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return "float32"
    return "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags) else "float32"


def _compute_capability() -> float:
    """Returns the compute capability of the accelerator in use; inf for a TPU."""
    if keras.backend.backend() == "jax":
        first = _jax_device()
        capability = getattr(first, "compute_capability", None)
        is_tpu = first.platform == "tpu"
    else:
        import tensorflow as tf

        gpus = tf.config.get_visible_devices("GPU")[_device_number() :]
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        capability = ".".join(map(str, details.get("compute_capability", ())))
        is_tpu = bool(tf.config.get_visible_devices("TPU"))
    try:
        return math.inf if is_tpu else float(capability or 0)
    except ValueError:  # AMD GPUs have names instead
        return 0.0


def _device_number() -> int:
    """Returns the number of the accelerator in use, 0 for the backend's choice."""
    return int(_chosen_device.get().partition(":")[2] or 0)


def _jax_device() -> Any:
    import jax

    return jax.local_devices()[_device_number()]


def free_device_memory() -> int | None:
    """Returns the free memory of the accelerator in use in bytes; None if unknown.

    On TensorFlow it is known for NVIDIA GPUs if `nvidia-ml-py` is installed.
    """
    if not has_accelerator():
        return None
    if keras.backend.backend() == "jax":
        stats = _jax_device().memory_stats() or {}
        if "bytes_limit" in stats:
            return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
        return None
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")[_device_number() :]
    return _free_memory_of_gpu(int(gpus[0].name.rpartition(":")[2])) if gpus else None


def _free_memory_of_gpu(number: int) -> int | None:
    """Returns the free memory of an NVIDIA GPU in bytes; None if unknown.

    Args:
        number: index among the GPUs that CUDA shows this process
    """
    try:
        import pynvml  # the module of nvidia-ml-py
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handles = _nvml_handles(pynvml, number)
        return min(pynvml.nvmlDeviceGetMemoryInfo(handle).free for handle in handles)
    except (pynvml.NVMLError, IndexError):
        return None
    finally:
        pynvml.nvmlShutdown()


def _nvml_handles(pynvml: Any, number: int) -> list[Any]:
    """Returns NVML's handle of a GPU; those of all GPUs if it could be any of them.

    NVML ignores `CUDA_VISIBLE_DEVICES`. It numbers GPUs by PCI bus, CUDA by speed
    unless `CUDA_DEVICE_ORDER` is set.
    """
    count = pynvml.nvmlDeviceGetCount()
    handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    name = str(number) if visible is None else visible.split(",")[number].strip()
    if not name.isdecimal():
        found = [
            one for one in handles if pynvml.nvmlDeviceGetUUID(one).startswith(name)
        ]
        return found or [pynvml.nvmlDeviceGetHandleByUUID(name)]  # a part of a GPU
    is_by_bus = os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    are_alike = len({pynvml.nvmlDeviceGetName(one) for one in handles}) == 1
    return [handles[int(name)]] if is_by_bus or are_alike else handles


def free_host_memory() -> int:
    """Returns the free memory of this machine, in bytes."""
    import psutil  # a dependency of FiftyOne

    return psutil.virtual_memory().available


def peak_memory() -> int:
    """Returns the most memory that this process has used so far, in bytes."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def peak_device_memory() -> int | None:
    """Returns the most memory of the first accelerator that was used, in bytes.

    That is by this process, without what its libraries reserve; None if unknown.
    """
    if not has_accelerator():
        return None
    if keras.backend.backend() == "jax":
        import jax

        stats = jax.local_devices()[0].memory_stats() or {}
        return stats.get("peak_bytes_in_use")
    import tensorflow as tf

    names = [one.name for one in tf.config.list_logical_devices()]
    kinds = ("GPU", "TPU")
    found = [
        name.split("device:")[-1] for name in names if name.split(":")[-2] in kinds
    ]
    try:
        return tf.config.experimental.get_memory_info(found[0])["peak"]
    except (IndexError, ValueError):  # not of this kind of device
        return None


def enable_memory_growth() -> None:
    """Lets TensorFlow allocate GPU memory as needed, instead of all of it at once.

    It has no effect once TensorFlow has used the GPU.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except (RuntimeError, ValueError):  # in use, or split into logical devices
            return
