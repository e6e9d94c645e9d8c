"""What this machine computes with: its accelerator, memory, and fast precision."""

import shutil
import subprocess
from pathlib import Path

import keras

CPU_INFO = Path("/proc/cpuinfo")


def has_accelerator() -> bool:
    """Returns whether the backend has a device beside the processor."""
    return not all(name.startswith("cpu") for name in keras.distribution.list_devices())


def fastest_precision() -> str:
    """Returns bfloat16 where the device has units for it, else float32.

    Such units are AVX512-BF16 and AMX of a processor, as Linux tells, and those of any
    accelerator.
    """
    if has_accelerator():
        return "bfloat16"
    try:
        flags = CPU_INFO.read_text().split()
    except OSError:
        return "float32"
    return "bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags) else "float32"


def free_memory() -> int | None:
    """Returns how many bytes the first accelerator has free; None if none can tell."""
    if not has_accelerator():
        return None
    if keras.backend.backend() == "jax":
        import jax

        told = jax.local_devices()[0].memory_stats() or {}
        if "bytes_limit" in told:
            return told["bytes_limit"] - told.get("bytes_in_use", 0)
        return None
    if not shutil.which("nvidia-smi"):
        return None
    asked = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    first = said.partition("\n")[0].strip()
    return int(first) * 2**20 if first.isdigit() else None


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


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error says that memory was too small, in any backend."""
    said = f"{type(error).__name__} {error}"
    return isinstance(error, MemoryError) or any(
        words in said
        for words in ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM when allocating")
    )
