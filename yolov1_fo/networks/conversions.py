"""Networks converted to ONNX, which are kept on the disk for later processes.

The name of an entry is a hash of the weights, the graph and the versions of what
converts it, so that it can't be stale.
"""

import contextlib
import functools
import hashlib
import json
import logging
import math
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

import yolov1_fo
from yolov1_fo import files
from yolov1_fo.disk_cache import METADATA, DiskCache
from yolov1_fo.networks import formats

logger = logging.getLogger(__name__)

NETWORK = "network.onnx"
FORMAT = 1
"""Version of the entries, and of the network that is converted."""
OVERHEAD_BYTES = 1e6
"""Size of an ONNX file beside the weights, at most."""
MAX_WAIT = 300.0
"""How long to wait for another process that converts the network, in seconds."""
_NAMED = ("name", "keras_history", "input_layers", "output_layers")
"""Keys of a graph whose strings are names of layers, except in a `dtype`."""


class NetworkCache(NamedTuple):
    """Where networks are kept for other runtimes than Keras.

    Attributes:
        converted: those of `Conversion`
        calibrated: those of `calibrated.Calibrated`
    """

    converted: DiskCache
    calibrated: DiskCache


class Conversion:
    """A network as an ONNX file, converted when the file is first needed.

    Args:
        network: whose weights and graph determine the file
        dtype: of the input: uint8 or float32
        convertible: returns the network in float32 on pixels of the dtype
        cache (None): where the file is kept; None converts it in each process
    """

    def __init__(
        self,
        network: keras.Model,
        dtype: str,
        convertible: Callable[[], keras.Model],
        cache: DiskCache | None = None,
    ) -> None:
        self.network, self.dtype = network, dtype
        self.convertible, self.cache = convertible, cache

    @functools.cached_property
    def name(self) -> str:
        """The name of its entry."""
        import tensorflow as tf

        versions = [metadata.version(package) for package in ("onnx", "tf2onnx")]
        versions += [yolov1_fo.__version__, keras.__version__, tf.__version__]
        text = f"{FORMAT} {versions} {self.dtype} {digest(self.network)}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def is_kept(self) -> bool:
        """Returns whether the file need not be converted."""
        return self.cache is not None and self.cache.find(self.name) is not None

    @contextlib.contextmanager
    def file(self, *, wait: bool = True) -> Iterator[Path]:
        """Yields the path of the file, which may be temporary.

        If it can't be kept, it is converted all the same.

        Args:
            wait (True): for another process that converts the network

        Raises:
            TimeoutError: if another process converts it, without `wait`
            Exception: of any type, if it can't be converted
        """
        path = self._kept(wait)
        if path is not None:
            yield path
            return
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            path = Path(folder) / NETWORK
            self._write(path)
            yield path

    def discard(self) -> bool:
        """Deletes the kept file; returns True, since it can be converted again."""
        if self.cache is not None:
            with contextlib.suppress(OSError), self.cache.locked(self.name, MAX_WAIT):
                files.remove(self.cache.folder / self.name)
        return True

    def _kept(self, wait: bool) -> Path | None:
        """Returns the path of the kept file; None if it can't be kept."""
        needed = weight_bytes(self.network) + OVERHEAD_BYTES
        if self.cache is None or needed > self.cache.limit:
            return None
        try:
            with self.cache.locked(self.name, MAX_WAIT if wait else 0):
                if self.cache.find(self.name) is None:
                    with self.cache.new(self.name, needed) as unfinished:
                        self._write(unfinished / NETWORK)
                        about = json.dumps({"network": self.network.name})
                        (unfinished / METADATA).write_text(about, encoding="utf-8")
                return self.cache.folder / self.name / NETWORK
        except OSError as error:
            if isinstance(error, TimeoutError) and not wait:
                raise
            logger.debug("the converted network is not kept: %s", error)
            return None

    def _write(self, path: Path) -> None:
        with formats.hidden_output():
            formats.write_onnx(self.convertible(), path)


def digest(network: keras.Model) -> str:
    """Returns a hash of a network's weights and graph, the same in every process.

    Names of layers do not matter, since Keras numbers those of one kind.
    """
    graph = json.loads(network.to_json())["config"]
    text = json.dumps(_numbered(graph, {}), sort_keys=True)
    found = hashlib.sha256(text.encode())
    for weight in network.weights:
        array = np.ascontiguousarray(ops.convert_to_numpy(weight))
        found.update(f"{array.dtype} {array.shape}".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _numbered(value: Any, numbers: dict[str, int], key: str = "") -> Any:
    """Returns part of a graph with numbers, in order of appearance, for layer names."""
    if isinstance(value, dict):
        return {
            name: one if name == "dtype" else _numbered(one, numbers, name)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_numbered(one, numbers, key) for one in value]
    if isinstance(value, str) and key in _NAMED:
        return numbers.setdefault(value, len(numbers))
    return value


def weight_bytes(network: keras.Model) -> int:
    """Returns the size of a network's weights as float32, in bytes."""
    return 4 * sum(math.prod(weight.shape) for weight in network.weights)
