"""YOLOv1Model, the object that FiftyOne applies to samples."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.frame as fofr
import fiftyone.core.labels as fol
import fiftyone.core.media as fomm
import fiftyone.core.models as fom
import fiftyone.core.sample as fos
import keras

from yolov1_fo import decode, files, images
from yolov1_fo import grid as _grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig, NetworkConfig, spelling
from yolov1_fo.datasets import labels, schema
from yolov1_fo.evaluation import average_precision
from yolov1_fo.model.keras_image_model import KerasImageModel
from yolov1_fo.model.settings import YOLOv1ModelConfig
from yolov1_fo.networks import build, darknet_weights
from yolov1_fo.runs import checkpoint


class YOLOv1Model(KerasImageModel, fom.SamplesMixin):
    """A trained YOLOv1 for `dataset.apply_model(...)`; `load_model` makes one.

    Args:
        config: a `YOLOv1ModelConfig`

    Attributes:
        config: may be changed between predictions
        network: the Keras graph, from (N, H, W, 3) float32 RGB in [0, 1] to the
            raw output
        classes: names in the order of their ids
        grid: S, B and C, for `yolov1_fo.grid.split`
        image_size: of the input, in pixels
    """

    __module__ = "yolov1_fo.model"  # as databases and files name it

    def __init__(self, config: YOLOv1ModelConfig) -> None:
        fom.SamplesMixin.__init__(self)
        self.config = config
        config.arrive()
        if config.settings is None:
            built = self._load(checkpoint.resolve(config.folder()))
        else:
            built = self._build(config.settings, config.classes)
        self.config.know(self.classes)
        KerasImageModel.__init__(self, built, build.features_of(built))

    def _build(
        self, settings: dict[str, Any], classes: list[str] | None
    ) -> keras.Model:
        self.classes = list(average_precision.CLASSES if classes is None else classes)
        spelling.check("setting", settings, NetworkConfig.names())
        known = NetworkConfig(**{**settings, "C": len(self.classes)})
        self.grid = GridConfig.pick(asdict(known))
        path = self.config.weights_path
        origin = f"weights of Darknet's, '{Path(path).name}'" if path else "untrained"
        self.metadata: dict[str, Any] = {
            "classes": self.classes,
            "settings": asdict(known),
            "origin": origin,
        }
        if path is None:
            return build.detector(known)
        if known.has_backbone:
            raise ValueError(
                f"weights of Darknet's need a network of its layers, got "
                f"{known.network}"
            )
        darknet_weights.read_header(path)  # before a gigabyte is laid out
        built = build.detector(known, blank=True)
        darknet_weights.read(path, built)
        return built

    def _load(self, folder: Path) -> keras.Model:
        metadata = checkpoint.read_metadata(folder, "detect")
        self.metadata = metadata
        self.classes = metadata["classes"]
        if self.config.classes not in (None, self.classes):
            raise ValueError(
                f"classes of checkpoint '{folder}' are {', '.join(self.classes)}; to "
                "keep only some, set filter_classes"
            )
        self.grid = GridConfig.pick(metadata["settings"])
        built = build.load(folder / checkpoint.NETWORK)
        if len(self.classes) != self.grid.C:
            raise ValueError(
                f"checkpoint '{folder}' must have {self.grid.C} classes, "
                f"got {len(self.classes)}"
            )
        expected, got = _grid.outputs(self.grid), built.output_shape[-1]
        if got != expected:
            raise ValueError(
                f"the network of checkpoint '{folder}' must have {expected} outputs "
                f"for its grid, got {got}"
            )
        return built

    def save(self, checkpoint_dir: str | os.PathLike[str]) -> Path:
        """Writes a checkpoint that `load_model` and `publish` take.

        Args:
            checkpoint_dir: a folder that does not exist yet

        Raises:
            ValueError: if it exists, or a weight is not finite
            OSError: if it can't be written
        """
        folder = Path(checkpoint_dir)
        if os.path.lexists(folder):  # a link to nowhere is the user's, too
            raise ValueError(f"'{folder}' exists; choose another, or delete it")
        with files.whole_folder(folder) as unfinished:
            checkpoint.write(unfinished, self.network, self.metadata)
        return folder

    @property
    def precision(self) -> str | None:
        """What the network computes in; the config says it."""
        return self.config.precision

    def predict(self, arg: Array, sample: fo.Sample | None = None) -> fol.Detections:
        """Returns what is found in one image.

        Args:
            arg: (H, W, 3) uint8 RGB
            sample (None): that it belongs to
        """
        return self.predict_all([arg], None if sample is None else [sample])[0]

    def predict_all(
        self, args: Sequence[Array], samples: Any = None
    ) -> list[fol.Detections]:
        """Returns what is found in each image, with one forward pass.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes
            samples (None): that they belong to. Of files whose pixels can be
                transparent, or that FiftyOne's reader does not turn upright, the image
                is read again, as training reads it. In the frames of a video FiftyOne
                merges new objects with old ones by their ids, so each gets an id by
                its rank in the frame: applied again, it takes the old one's place. If
                fewer are found than before, the old rest stays; `yolov1_fo.apply`
                removes it. Samples of a view learn of fields that another process has
                made, so that FiftyOne does not write over these
        """
        if samples is not None:
            schema.renew(samples)
            args = [
                images.shown(sample.filepath, image) if _is_image(sample) else image
                for image, sample in zip(args, samples, strict=True)
            ]
        found = super().predict_all(args)
        for detections, sample in zip(found, samples or (), strict=False):
            if isinstance(sample, fofr.Frame | fofr.FrameView):
                labels.identify(detections, f"{sample.sample_id} {sample.frame_number}")
        return found

    def labels_of(self, outputs: Array) -> list[fol.Detections]:
        """Returns what is found in images of which the network says `outputs`.

        Args:
            outputs: (N, outputs) from `forward`
        """
        found = self.detected(outputs)
        return [labels.to_detections(*detected, self.classes) for detected in found]

    def resized(self, image: Array) -> Array:
        """Returns an image in the network's size; Darknet aligns the corners.

        Args:
            image: (H, W, 3) uint8 RGB
        """
        resize = images.resize_aligned if self.config.darknet else images.resize
        return resize(image, self.image_size)

    def detected(self, y_pred: Array) -> list[decode.Detected]:
        """Returns what is found in images of which the network says `y_pred`.

        Args:
            y_pred: (N, outputs) from `forward`
        """
        return decode.decode(
            y_pred,
            self.grid,
            confidence_thresh=self.config.confidence_thresh or 0.0,
            iou_thresh=self.config.iou_thresh,
            max_detections=self.config.max_detections,
            class_agnostic=self.config.class_agnostic,
            class_ids=self._class_ids(),
            darknet=self.config.darknet,
        )

    def _class_ids(self) -> list[int] | None:
        wanted = self.config.filter_classes
        if wanted is None:
            return None
        return [self.classes.index(name) for name in wanted]


def _is_image(sample: Any) -> bool:
    return (
        isinstance(sample, fo.Sample | fos.SampleView)
        and sample.media_type == fomm.IMAGE
    )
