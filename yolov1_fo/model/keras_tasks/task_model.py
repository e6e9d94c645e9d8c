"""KerasTaskModel: a Keras classifier, detector or segmenter that FiftyOne applies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fiftyone.core.models as fom
import keras
import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.config import arguments
from yolov1_fo.model.image_model import ImageModel
from yolov1_fo.model.keras_tasks import embeddings, storage
from yolov1_fo.model.keras_tasks.outputs import Options, Seen, SegmenterOutput
from yolov1_fo.model.keras_tasks.task import Task
from yolov1_fo.model.model_config import CheckpointConfig
from yolov1_fo.runs import checkpoint


class KerasTaskModelConfig(CheckpointConfig):
    """Config of a `KerasTaskModel`.

    Args:
        d: attributes; checkpoint_dir, model_name or model_path is needed

    Attributes:
        confidence_thresh: lowest confidence that is kept; None keeps the most probable
            class of a classifier, independent classes from 0.5, and what a detector's
            own decoder keeps
    """

    __module__ = "yolov1_fo.model"  # as databases and files name it

    STRINGS = ("checkpoint_dir",)

    confidence_thresh: float | None

    def _set(self, given: dict[str, Any]) -> None:
        super()._set(given)
        self.confidence_thresh = given.get("confidence_thresh")
        if self.confidence_thresh is not None:
            arguments.check_number("confidence_thresh", self.confidence_thresh, 0, 1)

    def attributes(self) -> list[str]:
        """Returns the names of the attributes that FiftyOne serializes."""
        return [*super().attributes(), "confidence_thresh"]


class KerasTaskModel(ImageModel, fom.LogitsMixin):
    """A Keras network of somebody else for `dataset.apply_model(...)`.

    `from_keras` makes one; `load_model` loads one that was saved.

    Args:
        config: a `KerasTaskModelConfig`
        task (None): the network, and how it is used; None reads the config's folder

    Attributes:
        config: may be changed between predictions
        network: the Keras model
        kind: classification, detection or segmentation
        classes: names in the order of their ids
        image_size: height and width of the network's input, in pixels
        store_logits: whether classifications get their logits;
            `apply_model(..., store_logits=True)` sets it
    """

    __module__ = "yolov1_fo.model"  # as databases and files name it

    config: KerasTaskModelConfig

    def __init__(self, config: KerasTaskModelConfig, task: Task | None = None) -> None:
        ImageModel.__init__(self)
        fom.LogitsMixin.__init__(self)
        self.config = config
        if task is None:
            task = storage.load(checkpoint.resolve(config.checkpoint_folder()))
        self._task = task
        self.network = task.network
        self.kind = task.output.KIND
        self.classes = task.output.classes
        self.image_size = task.preprocessing.size
        self._forward: keras.Model | None = None
        self._embedder = embeddings.find(task.network, task.features)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out what is compiled, and the last images."""
        return {**self.__dict__, "_forward": None, "_last_pixels": None}

    @property
    def has_logits(self) -> bool:
        """Whether its labels can have logits: a classifier's."""
        return self.kind == "classification"

    @property
    def has_embeddings(self) -> bool:
        """Whether it has embeddings, for `compute_embeddings`."""
        return self._embedder is not None

    @property
    def mask_targets(self) -> dict[int, str] | None:
        """Names of the values of a segmenter's masks, for `default_mask_targets`."""
        output = self._task.output
        return output.mask_targets if isinstance(output, SegmenterOutput) else None

    def predict_all(self, args: Sequence[Array]) -> list[Any]:
        """Returns the label of each image, with one forward pass.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes

        Returns:
            `Classification`, or `Classifications` of independent classes; `Detections`;
            `Segmentation`. None if an output is not finite
        """
        if not len(args):
            return []
        pixels = self._last_pixels = self.prepared(args)
        sizes = [np.shape(image)[:2] for image in args]
        seen = [Seen(size, self._task.preprocessing.window(size)) for size in sizes]
        options = Options(self.config.confidence_thresh, self.store_logits)
        return self._task.output.labels(self._run(pixels), pixels, seen, options)

    def prepared(self, args: Sequence[Array]) -> Array:
        """Returns images as a batch for the network: (N, H, W, 3) float32.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes

        Raises:
            ValueError: if one has the wrong shape or type
        """
        return np.stack([self._task.preprocessing(np.asarray(one)) for one in args])

    def embed_pixels(self, pixels: Array) -> Array:
        """Returns the embeddings of a batch: (N, channels) float32.

        Args:
            pixels: from `prepared`

        Raises:
            ValueError: if the model has no embeddings
        """
        if self._embedder is None:
            raise ValueError("embeddings need a network with features")
        return np.asarray(self._embedder.predict_on_batch(pixels), np.float32)

    def _run(self, pixels: Array) -> Any:
        if self._forward is None:
            image = keras.Input(pixels.shape[1:], name="pixels")
            outputs = self.network(image, training=False)
            self._forward = keras.Model(image, outputs, name="forward")
        return self._forward.predict_on_batch(pixels)

    def save(self, checkpoint_dir: Any) -> Path:
        """Writes a folder for `load_model` and `publish`.

        Args:
            checkpoint_dir: a folder that does not exist yet

        Raises:
            ValueError: if it exists, a weight is not finite, or `preprocess` is not a
                function of keras.applications
            OSError: if it can't be written
        """
        return storage.save(self._task, Path(checkpoint_dir))
