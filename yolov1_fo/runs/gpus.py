"""The GPUs of this machine, found without Keras, for forms and estimates."""

import functools
import os
import shutil
import subprocess

QUERY = ("--query-gpu=name", "--format=csv,noheader")
TIMEOUT_SECONDS = 10.0


def is_used(device: str | None) -> bool:
    """Returns whether a training runs on a GPU.

    Args:
        device: number of a GPU, or `cpu`; None is the backend's choice
    """
    return device != "cpu" and bool(names())


@functools.cache
def names() -> list[str]:
    """Returns the name of each NVIDIA GPU that TensorFlow can use, by its number.

    Without `nvidia-smi` there are none. `CUDA_VISIBLE_DEVICES` hides GPUs; if it names
    them otherwise than by numbers, their names are unknown and empty.
    """
    command = shutil.which("nvidia-smi")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if command is None or (visible is not None and not visible.strip()):
        return []
    try:
        found = subprocess.run(
            [command, *QUERY],
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT_SECONDS,
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return []
    if visible is None:
        return [name.strip() for name in found]
    return _visible(found, visible)


def _visible(found: list[str], visible: str) -> list[str]:
    """Returns the GPUs that `CUDA_VISIBLE_DEVICES` names, up to the first unknown."""
    kept = []
    for part in map(str.strip, visible.split(",")):
        if part.isdecimal():
            if int(part) >= len(found):
                break
            kept.append(found[int(part)].strip())
        elif part.startswith("-"):
            break
        else:  # a UUID, or a part of a GPU
            kept.append("")
    return kept
