import collections
import hashlib
import pickle

import numpy as np
import pytest

from yolov1_fo.networks import torch_pickle


class _Global:
    """Pickled as a call of any global function, as in a malicious file."""

    def __init__(self, module, name, *arguments):
        self.name, self.arguments = (module, name), arguments


class _Pickler(pickle._Pickler):
    def reducer_override(self, obj):
        return NotImplemented

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, _Global):
            self.write(b"c" + "\n".join(obj.name).encode() + b"\n")
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
            return
        super().save(obj, save_persistent_id)

    def persistent_id(self, obj):
        return obj if isinstance(obj, tuple) and obj[:1] == ("storage",) else None


def torch_file(path, tensors, extra=None):
    """Writes a file in PyTorch's legacy format; returns its sha256."""
    storages = {str(i): values for i, values in enumerate(tensors.values())}
    views = collections.OrderedDict()
    for (key, values), name in zip(storages.items(), tensors, strict=True):
        pid = ("storage", "FloatStorage", key, "cpu", values.size)
        strides = tuple(s // values.itemsize for s in values.strides)
        views[name] = _Global(
            "torch._utils", "_rebuild_tensor_v2", pid, 0, values.shape, strides, False
        )
    if extra is not None:
        views["extra"] = extra
    with path.open("wb") as file:
        for part in (1, 2, {}, views, list(storages)):
            _Pickler(file, 2).dump(part)
        for values in storages.values():
            file.write(np.int64(values.size).tobytes() + values.tobytes())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_tensors_are_read(tmp_path, rng):
    tensors = {
        "a": rng.normal(size=(2, 3)).astype("<f4"),
        "b": rng.normal(size=4).astype("<f4"),
    }
    path = tmp_path / "weights.pth"
    found = torch_pickle.read_tensors(path, torch_file(path, tensors))
    assert found.keys() == tensors.keys()
    for name, values in tensors.items():
        np.testing.assert_array_equal(found[name], values)


def test_no_other_function_is_called(tmp_path):
    path = tmp_path / "weights.pth"
    bait = tmp_path / "bait"
    digest = torch_file(path, {}, extra=_Global("os", "mkdir", str(bait)))
    with pytest.raises(ValueError, match=r"the weights refer to 'os\.mkdir'"):
        torch_pickle.read_tensors(path, digest)
    assert not bait.exists()


def test_files_with_another_hash_are_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"other")
    with pytest.raises(
        ValueError, match=r"weights.pth' must have sha256 0000, got [0-9a-f]"
    ):
        torch_pickle.read_tensors(path, "0000")
