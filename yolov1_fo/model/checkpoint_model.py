"""CheckpointModel: what our models of FiftyOne have in common."""

from collections.abc import Sequence
from typing import Any

import fiftyone as fo
import fiftyone.core.media as fomm
import fiftyone.core.models as fom
import fiftyone.core.sample as fos
import keras
import numpy as np

from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.datasets import schema
from yolov1_fo.disk_cache import DiskCache
from yolov1_fo.model.keras_image_model import KerasImageModel
from yolov1_fo.model.model_config import CheckpointConfig
from yolov1_fo.networks.conversions import NetworkCache
from yolov1_fo.networks.predictor import Predictor
from yolov1_fo.runs import folders


class CheckpointModel(KerasImageModel, fom.SamplesMixin, fom.LogitsMixin):
    """A trained network for `dataset.apply_model(...)`.

    Args:
        network: from (N, H, W, 3) float32 RGB in [0, 1] to the raw output
        features: as in `KerasImageModel`

    Raises:
        ImportError: if a package of the runtime is missing
        ValueError: if the runtime can't compute the network, or the precision is int8
            and there is no calibrated export

    Attributes:
        config: may be changed between predictions
        network: the Keras graph
        metadata: of its checkpoint
        classes: names in the order of their ids
        image_size: of the input, in pixels
        store_logits: whether each label gets its class logits;
            `apply_model(..., store_logits=True)` sets it
    """

    config: CheckpointConfig
    metadata: dict[str, Any]
    classes: list[str]

    def __init__(self, network: keras.Model, features: Any) -> None:
        Predictor(network, self.precision, self.runtime, self.network_cache)  # checks
        fom.SamplesMixin.__init__(self)
        fom.LogitsMixin.__init__(self)
        KerasImageModel.__init__(self, network, features)

    @property
    def has_logits(self) -> bool:
        """True: each label has class logits."""
        return True

    @property
    def precision(self) -> str | None:
        """Precision of the computation, from the config."""
        return self.config.precision

    @property
    def runtime(self) -> str:
        """What computes, from the config."""
        return self.config.runtime or "auto"

    @property
    def network_cache(self) -> NetworkCache:
        """Where networks are kept for other runtimes."""
        top, limit = folders.top_folder(), folders.NETWORK_CACHE_BYTES
        return NetworkCache(
            DiskCache(top / folders.NETWORK_CACHE, limit),
            DiskCache(top / folders.INT8_NETWORKS, limit),
        )

    def predict(self, arg: Array, sample: fo.Sample | None = None) -> Any:
        """Returns the label of one image.

        Args:
            arg: (H, W, 3) uint8 RGB
            sample (None): that it belongs to
        """
        return self.predict_all([arg], None if sample is None else [sample])[0]

    def predict_all(self, args: Sequence[Array], samples: Any = None) -> list[Any]:
        """Returns the label of each image, with one forward pass.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes
            samples (None): that they belong to. Files that may be transparent or that
                FiftyOne's reader does not rotate upright are read again, as in
                training. Samples of a view are refreshed, so that FiftyOne does not
                overwrite fields that another process has added
        """
        if samples is not None:
            schema.refresh_samples(samples)
            args = [
                images.corrected(sample.filepath, image) if _is_image(sample) else image
                for image, sample in zip(args, samples, strict=True)
            ]
        found = self._labels(args) if len(args) else []
        if samples is not None:
            self._note(found, samples)
        return found

    def _note(self, labels: Sequence[Any], samples: Sequence[Any]) -> None:
        """Does what labels need that FiftyOne is about to store with samples."""

    def _labels(self, args: Sequence[Array]) -> list[Any]:
        """Returns the labels of images of any sizes."""
        pixels = self.prepared(args)
        windows = self.windows([np.shape(image)[:2] for image in args])
        return self.predict_pixels(pixels, windows)

    def windows(self, sizes: Sequence[tuple[int, int]]) -> Array | None:
        """Returns where images lie in the network's input; None if it is all of it.

        Args:
            sizes: height and width of each image before it is resized, in pixels

        Returns:
            (N, 4) xyxy, relative to the input
        """
        return None

    def predict_pixels(self, pixels: Array, windows: Array | None = None) -> list[Any]:
        """Returns the labels of images that have the network's image size.

        Args:
            pixels: (N, H, W, 3) RGB; uint8, or float32 in [0, 1]
            windows (None): from `windows`
        """
        self._last_pixels = pixels
        return self.labels_of(self.forward(pixels), windows)

    def labels_of(self, outputs: Array, windows: Array | None = None) -> list[Any]:
        """Returns the network's output for each image as a FiftyOne label.

        Args:
            outputs: (N, ...) float32 from `forward`
            windows (None): from `windows`
        """
        raise NotImplementedError


def _is_image(sample: Any) -> bool:
    return (
        isinstance(sample, fo.Sample | fos.SampleView)
        and sample.media_type == fomm.IMAGE
    )
