"""YOLOv1Model, the object that FiftyOne applies to samples."""

import os
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.config as foc
import fiftyone.core.frame as fofr
import fiftyone.core.labels as fol
import fiftyone.core.models as fom
import fiftyone.zoo.models as fozm
import numpy as np

from yolov1_fo import (
    checkpoint,
    darknet,
    decode,
    forward,
    images,
    labels,
    network,
    voc,
)
from yolov1_fo import grid as _grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import PREDICTION_PRECISIONS, GridConfig, NetworkConfig

SETTINGS = (
    "confidence_thresh",
    "iou_thresh",
    "max_detections",
    "class_agnostic",
    "filter_classes",
    "darknet",
    "precision",
)


class YOLOv1ModelConfig(foc.Config, fozm.HasZooModel):
    """What a `YOLOv1Model` is made of; FiftyOne changes it while it applies the model.

    Args:
        d: a dict with one of

            checkpoint_dir: of a trained network
            model_name: of a model in FiftyOne's zoo
            model_path: network.keras in a checkpoint, as the zoo says it
            settings: of `NetworkConfig`, for a network without training; then also
                classes (VOC's 20): its names, and weights_path (None): a `.weights`
                file of Darknet's

        and optionally

            confidence_thresh (0.01): lowest score that is kept; low, for a true mAP
            iou_thresh (0.5): boxes that overlap more are one object
            max_detections (100): the best so many of an image are kept
            class_agnostic (False): boxes of different classes suppress each other too
            filter_classes (None): names of the classes of interest; None keeps all
            darknet (False): resizes, scores, thresholds and suppresses as Darknet does
            precision (None): what the network computes in: float32, bfloat16, float16,
                or auto, which is bfloat16 where the device has units for it; None is
                what it was trained in
    """

    model_name: str | None
    model_path: str | None

    def __init__(self, d: dict[str, Any]) -> None:
        d = self.init(d)  # of FiftyOne; sets model_name and model_path
        self.checkpoint_dir = self.parse_string(d, "checkpoint_dir", default=None)
        self.settings = self.parse_dict(d, "settings", default=None)
        self.classes = self.parse_array(d, "classes", default=None)
        self.weights_path = self.parse_string(d, "weights_path", default=None)
        self.confidence_thresh = self.parse_number(d, "confidence_thresh", default=0.01)
        self.iou_thresh = self.parse_number(d, "iou_thresh", default=0.5)
        self.max_detections = self.parse_int(d, "max_detections", default=100)
        self.class_agnostic = self.parse_bool(d, "class_agnostic", default=False)
        self.darknet = self.parse_bool(d, "darknet", default=False)
        self.precision = self.parse_string(d, "precision", default=None)
        self._classes: list[str] | None = None
        self.filter_classes = self.parse_array(d, "filter_classes", default=None)
        for name in ("confidence_thresh", "iou_thresh"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {value!r}")
        if self.max_detections < 1:
            raise ValueError(
                f"max_detections must be at least 1, got {self.max_detections}"
            )
        if self.precision not in (None, *PREDICTION_PRECISIONS):
            raise ValueError(
                f"precision must be one of {', '.join(PREDICTION_PRECISIONS)}, "
                f"got {self.precision!r}"
            )

    @property
    def filter_classes(self) -> Collection[str] | None:
        """Names of the classes of interest; None keeps all.

        Raises:
            ValueError: if it is set to a class that the model does not know
        """
        return self._filter_classes

    @filter_classes.setter
    def filter_classes(self, names: Collection[str] | None) -> None:
        unknown = sorted(set(names or ()) - set(self._classes or names or ()))
        if unknown:
            raise ValueError(
                f"classes must be among {', '.join(self._classes or ())}; "
                f"got {', '.join(unknown)}"
            )
        self._filter_classes = names

    def know(self, classes: list[str]) -> None:
        """Tells the names that the model knows, and checks `filter_classes`."""
        self._classes = classes
        self.filter_classes = self._filter_classes

    def attributes(self) -> list[str]:
        """Returns what is written when the config is serialized."""
        return [
            *("checkpoint_dir", "model_name", "model_path"),
            *("settings", "classes", "weights_path"),
            *SETTINGS,
        ]

    def folder(self) -> str | os.PathLike[str]:
        """Returns where the trained network stands.

        Raises:
            ValueError: if none is named
        """
        if self.checkpoint_dir:
            return self.checkpoint_dir
        if self.model_name and not self.model_path:
            self.model_path = fozm.download_zoo_model(self.model_name)[1]
        if not self.model_path:
            raise ValueError(
                "a YOLOv1Model needs checkpoint_dir, model_name, model_path or settings"
            )
        return Path(self.model_path).parent


class YOLOv1Model(fom.SamplesMixin, fom.Model):
    """A trained YOLOv1 for `dataset.apply_model(...)`; `load_model` makes one.

    Args:
        config: a `YOLOv1ModelConfig`

    Attributes:
        config: may be changed between predictions
        network: the Keras graph, from (N, side, side, 3) float32 RGB in [0, 1] to the
            raw output
        classes: names in the order of their ids
        grid: S, B and C, for `yolov1_fo.grid.split`
        side: of the input, in pixels
    """

    def __init__(self, config: YOLOv1ModelConfig) -> None:
        fom.SamplesMixin.__init__(self)
        self.config = config
        self._preprocess = True
        if config.settings is None:
            self._load(checkpoint.resolve(config.folder()))
        else:
            self._build(config.settings, config.classes)
        self.config.know(self.classes)
        self._forward: forward.Forward | None = None

    def _build(self, settings: dict[str, Any], classes: list[str] | None) -> None:
        self.classes = list(voc.CLASSES if classes is None else classes)
        known = NetworkConfig(**{**settings, "C": len(self.classes)})
        self.grid, self.side = GridConfig.pick(asdict(known)), known.side
        path = self.config.weights_path
        origin = f"weights of Darknet's, '{Path(path).name}'" if path else "untrained"
        self.card = {"classes": self.classes, "settings": asdict(known)}
        self.card |= {"origin": origin}
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes must differ, got {', '.join(self.classes)}")
        if path is None:
            self.network = network.build(known)
            return
        if known.has_trunk:
            raise ValueError(
                f"weights of Darknet's need a network of its layers, got "
                f"{known.network}"
            )
        darknet.read_header(path)  # before a gigabyte is laid out
        self.network = network.build(known, blank=True)
        darknet.read(path, self.network)

    def _load(self, folder: Path) -> None:
        card = checkpoint.read_card(folder, "detect")
        settings = NetworkConfig.pick(card["settings"])
        self.card = card
        self.classes = card["classes"]
        if self.config.classes not in (None, self.classes):
            raise ValueError(
                f"classes of checkpoint '{folder}' are {', '.join(self.classes)}; to "
                "keep only some, set filter_classes"
            )
        self.grid, self.side = GridConfig.pick(card["settings"]), settings.side
        self.network = network.load(folder / checkpoint.NETWORK)
        if len(self.classes) != self.grid.C:
            raise ValueError(
                f"checkpoint '{folder}' must have {self.grid.C} classes, "
                f"got {len(self.classes)}"
            )
        expected, got = _grid.outputs(self.grid), self.network.output_shape[-1]
        if got != expected:
            raise ValueError(
                f"the network of checkpoint '{folder}' must have {expected} outputs "
                f"for its grid, got {got}"
            )

    def save(self, checkpoint_dir: str | os.PathLike[str]) -> Path:
        """Writes a checkpoint that `load_model` and `publish` take.

        Args:
            checkpoint_dir: a folder that does not exist yet

        Raises:
            ValueError: if it exists, or a weight is not finite
            OSError: if it can't be written
        """
        folder = Path(checkpoint_dir)
        if folder.exists():
            raise ValueError(f"'{folder}' exists; choose another, or delete it")
        with checkpoint.whole(folder) as unfinished:
            checkpoint.write(unfinished, self.network, self.card)
        return folder

    @property
    def media_type(self) -> str:
        """What it works on."""
        return "image"

    @property
    def ragged_batches(self) -> bool:
        """False: images of any sizes stand in one batch."""
        return False

    @property
    def transforms(self) -> None:
        """None: the model resizes by itself."""
        return

    @property
    def preprocess(self) -> bool:
        """Whether images are resized; False takes (side, side, 3) only."""
        return self._preprocess

    @preprocess.setter
    def preprocess(self, value: bool) -> None:
        self._preprocess = value

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
            samples (None): that they belong to. In the frames of a video FiftyOne
                merges new objects with old ones by their ids, so each gets an id by
                its rank in the frame: applied again, it takes the old one's place. If
                fewer are found than before, the old rest stays; `yolov1_fo.apply`
                removes it
        """
        if not len(args):
            return []
        pixels = [self._prepared(np.asarray(image)) for image in args]
        found = self.predict_pixels(np.stack(pixels))
        for detections, sample in zip(found, samples or (), strict=False):
            if isinstance(sample, fofr.Frame | fofr.FrameView):
                labels.identify(detections, f"{sample.sample_id} {sample.frame_number}")
        return found

    def _prepared(self, image: Array) -> Array:
        if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f"an image must be (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}"
            )
        if self._preprocess:
            resize = images.resize_aligned if self.config.darknet else images.resize
            return resize(image, self.side)
        if image.shape != (self.side, self.side, 3):
            raise ValueError(
                f"without preprocessing an image must be "
                f"({self.side}, {self.side}, 3), got {image.shape}"
            )
        return image

    def predict_pixels(self, pixels: Array) -> list[fol.Detections]:
        """Returns what is found in images of the network's own size.

        Args:
            pixels: (N, side, side, 3) RGB; uint8, or float32 in [0, 1]
        """
        found = self.detected(self.forward(pixels))
        return [labels.to_detections(*detected, self.classes) for detected in found]

    def forward(self, pixels: Array) -> Array:
        """Returns what the network says of images of its own size: (N, outputs).

        The weights are those of the first call in a precision.

        Args:
            pixels: (N, side, side, 3) RGB; uint8, or float32 in [0, 1]
        """
        precision = self.config.precision
        if self._forward is None or self._forward.asked != precision:
            self._forward = forward.Forward(self.network, precision)
        return self._forward(pixels)

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
