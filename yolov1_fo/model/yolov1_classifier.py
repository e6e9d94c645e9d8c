"""YOLOv1Classifier: a classifier from `pretrain` that FiftyOne applies to samples."""

from pathlib import Path

import fiftyone.core.labels as fol
import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.image_files import resizing
from yolov1_fo.model.checkpoint_model import CheckpointModel
from yolov1_fo.model.keras_tasks.outputs import softmax
from yolov1_fo.model.model_config import YOLOv1ClassifierConfig
from yolov1_fo.networks import keras_file, parts
from yolov1_fo.runs import checkpoint


class YOLOv1Classifier(CheckpointModel):
    """The paper's pretrained classifier for `dataset.apply_model(...)`.

    `load_model` makes one. Its labels are `Classification`: the class of the highest
    probability, which is the confidence.

    Args:
        config: a `YOLOv1ClassifierConfig`

    Raises:
        ValueError: if the checkpoint is not one of a classifier

    Source: paper section 2.2
    """

    __module__ = "yolov1_fo.model"  # as databases and files name it

    def __init__(self, config: YOLOv1ClassifierConfig) -> None:
        self.config = config
        folder = checkpoint.resolve(config.checkpoint_folder())
        self.metadata = checkpoint.read_metadata(Path(folder), "classify")
        self.classes = self.metadata["classes"]
        network = keras_file.load(folder / checkpoint.NETWORK)
        if network.output_shape[-1] != len(self.classes):
            raise ValueError(
                f"the network of checkpoint '{folder}' must have {len(self.classes)} "
                f"outputs, one for each class, got {network.output_shape[-1]}"
            )
        super().__init__(network, parts.features_of(network))

    def resized(self, image: Array) -> Array:
        """Returns an image resized for the network: stretched, or letterboxed.

        Args:
            image: (H, W, 3) uint8 RGB
        """
        letterbox = self.metadata["settings"].get("letterbox", False)
        return resizing.to_square(image, self.image_size, letterbox=letterbox)

    def labels_of(
        self, outputs: Array, windows: Array | None = None
    ) -> list[fol.Classification | None]:
        """Returns the class of each image; None if an output is not finite.

        Args:
            outputs: (N, C) logits from `forward`
            windows (None): not used
        """
        probs = softmax(outputs)
        best = probs.argmax(axis=-1)
        return [
            fol.Classification(
                label=self.classes[class_id],
                confidence=float(row[class_id]),
                logits=logits if self.store_logits else None,
            )
            if np.isfinite(row).all()
            else None
            for class_id, row, logits in zip(best, probs, outputs, strict=True)
        ]
