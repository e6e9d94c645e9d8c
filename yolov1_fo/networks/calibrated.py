"""INT8 networks of calibrated exports, which `load_model(precision="int8")` uses.

The name of an entry is a hash of the weights and the graph before quantization.
"""

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras

from yolov1_fo.disk_cache import METADATA, DiskCache
from yolov1_fo.networks import conversions

MISSING = (
    "precision='int8' needs a calibrated export of this network; call "
    "yolov1_fo.export(model, path, 'onnx', calibration=samples) first"
)


class Calibrated:
    """The INT8 network of the last calibrated export, as an ONNX file.

    Its input is float32 RGB in [0, 1].

    Args:
        network: before quantization
        cache: where the file is kept
    """

    def __init__(self, network: keras.Model, cache: DiskCache | None) -> None:
        self.network, self.cache = network, cache

    @functools.cached_property
    def name(self) -> str:
        """The name of its entry."""
        return conversions.digest(self.network)[:32]

    def is_kept(self) -> bool:
        """Returns whether there is such a file."""
        return self.cache is not None and self.cache.find(self.name) is not None

    @contextlib.contextmanager
    def file(self, **_: Any) -> Iterator[Path]:
        """Yields the path of the file; it takes the arguments of `Conversion.file`.

        Raises:
            ValueError: if there is none
        """
        if self.cache is None or not self.is_kept():
            raise ValueError(MISSING)
        yield self.cache.folder / self.name / conversions.NETWORK

    def discard(self) -> bool:
        """Returns False: it can't be made again without the images."""
        return False

    def keep(self, write: Callable[[Path], None], size: int, images: int) -> None:
        """Keeps a file, in place of an earlier one.

        Args:
            write: writes it to a path
            size: of the file, in bytes
            images: number of images that have calibrated it

        Raises:
            OSError: if it can't be kept
        """
        if self.cache is None:
            return
        with (
            self.cache.locked(self.name, conversions.MAX_WAIT),
            self.cache.new(self.name, size) as unfinished,
        ):
            write(unfinished / conversions.NETWORK)
            about = {"network": self.network.name, "calibration_images": images}
            (unfinished / METADATA).write_text(json.dumps(about), encoding="utf-8")
