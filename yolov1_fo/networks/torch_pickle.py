"""Reads the tensors of a PyTorch file in the legacy format, without executing its code.

Such a file is a sequence of pickles: magic number, protocol version, system
information, a dictionary of tensors, and the storage keys. For each key a count and the
raw values follow.
"""

import hashlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from yolov1_fo.boxes import Array

STORAGE_DTYPES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}


def read_tensors(path: Path, sha256: str) -> dict[str, Array]:
    """Returns the tensors of a PyTorch file as NumPy arrays, by name.

    Args:
        path: the file
        sha256: expected hash of the file, as hexadecimal digits

    Raises:
        ValueError: if the hash differs, or the file refers to anything but tensors
    """
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise ValueError(f"'{path}' must have sha256 {sha256}, got {digest}")
    file = io.BytesIO(content)
    for _ in range(3):  # magic number, protocol version, system information
        _TensorUnpickler(file).load()
    views = _TensorUnpickler(file).load()
    keys = _TensorUnpickler(file).load()
    storages = {}
    for key in keys:
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        dtype = STORAGE_DTYPES[_storage_type(views, key)]
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return {name: _to_array(view, storages[view.key]) for name, view in views.items()}


class _TensorView:
    """The storage, offset and strides of a tensor, before its values are read."""

    def __init__(
        self, storage: tuple[str, str], offset: int, size: Any, stride: Any, *_: Any
    ) -> None:
        self.storage_type, self.key = storage
        self.offset, self.size, self.stride = offset, size, stride


def _storage_type(views: dict[str, _TensorView], key: str) -> str:
    return next(view.storage_type for view in views.values() if view.key == key)


def _to_array(view: _TensorView, storage: Array) -> Array:
    strides = [stride * storage.itemsize for stride in view.stride]  # in bytes
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.size, strides)


class _TensorUnpickler(pickle.Unpickler):
    """An unpickler that can create nothing but views of tensors."""

    _allowed: dict[tuple[str, str], Callable[..., Any] | str] = {  # noqa: RUF012  # constant
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _TensorView,
        **{("torch", name): name for name in STORAGE_DTYPES},
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise ValueError(f"the weights refer to '{module}.{name}', not a tensor")
        return self._allowed[module, name]

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        return pid[1], pid[2]  # storage type, key
