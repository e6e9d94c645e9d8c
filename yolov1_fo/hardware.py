"""What this machine computes with: its accelerator, memory, and fast precision."""

import ctypes
import math
import sys
from pathlib import Path

import keras

CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_SINCE = 8.0
"""Compute capability of the first of NVIDIA's GPUs that compute in bfloat16."""


def has_accelerator() -> bool:
    """Returns whether the backend has a device beside the processor."""
    return not all(name.startswith("cpu") for name in keras.distribution.list_devices())


def fastest_precision() -> str:
    """Returns bfloat16 where the device has units for it, else float32.

    Such units are AVX512-BF16 and AMX of a processor, as Linux tells; those of NVIDIA's
    GPUs from compute capability 8.0 on, and those of a TPU. Of another accelerator it
    is not known.
    """
    if has_accelerator():
        return "bfloat16" if _capability() >= BFLOAT16_SINCE else "float32"
    try:
        flags = CPU_INFO.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return "float32"
    return "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags) else "float32"


def _capability() -> float:
    """Returns the compute capability of the first accelerator; 0 if it is not known."""
    if keras.backend.backend() == "jax":
        import jax

        first = jax.local_devices()[0]
        said = getattr(first, "compute_capability", None)
        is_tpu = first.platform == "tpu"
    else:
        import tensorflow as tf

        gpus = tf.config.get_visible_devices("GPU")
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        said = ".".join(map(str, details.get("compute_capability", ())))
        is_tpu = bool(tf.config.get_visible_devices("TPU"))
    try:
        return math.inf if is_tpu else float(said or 0)
    except ValueError:  # AMD's have names
        return 0.0


def free_memory() -> int | None:
    """Returns how many bytes the first accelerator has free; None if none can tell.

    It is the first that this process sees: `CUDA_VISIBLE_DEVICES` counts.
    """
    if not has_accelerator():
        return None
    if keras.backend.backend() == "jax":
        import jax

        told = jax.local_devices()[0].memory_stats() or {}
        if "bytes_limit" in told:
            return told["bytes_limit"] - told.get("bytes_in_use", 0)
        return None
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    return _free_by_driver(int(gpus[0].name.rpartition(":")[2])) if gpus else None


def _free_by_driver(number: int) -> int | None:
    """Returns how many bytes of a GPU are free, as CUDA's driver says.

    Args:
        number: of the GPU, among those that the driver shows this process
    """
    try:
        cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    device, context, popped = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    # Each function returns 0 if it went well. The context is the one that TensorFlow
    # has, or makes, so that it costs no memory of its own.
    if (
        cuda.cuInit(0)
        or cuda.cuDeviceGet(ctypes.byref(device), number)
        or cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)
    ):
        return None
    try:
        if cuda.cuCtxPushCurrent_v2(context):
            return None
        failed = cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
        cuda.cuCtxPopCurrent_v2(ctypes.byref(popped))
        return None if failed else free.value
    finally:
        cuda.cuDevicePrimaryCtxRelease_v2(device)


def host_memory() -> int:
    """Returns how many bytes of the machine's memory are free."""
    import psutil  # comes with FiftyOne

    return psutil.virtual_memory().available


def grow_memory() -> None:
    """Lets TensorFlow take a GPU's memory as it needs it, instead of all at once.

    It can only be told before it first uses the GPU; later this changes nothing.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except (RuntimeError, ValueError):  # in use, or divided into logical ones
            return
