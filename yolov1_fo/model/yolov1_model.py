"""YOLOv1Model: a trained YOLOv1 that FiftyOne applies to samples."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fiftyone.core.frame as fofr
import fiftyone.core.labels as fol
import keras
import numpy as np

from yolov1_fo import decode
from yolov1_fo import grid as _grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig, NetworkConfig, spelling
from yolov1_fo.datasets import fiftyone_boxes, schema
from yolov1_fo.evaluation import average_precision
from yolov1_fo.image_files import letterboxing, resizing
from yolov1_fo.model import image_model
from yolov1_fo.model.checkpoint_model import CheckpointModel
from yolov1_fo.model.model_config import YOLOv1ModelConfig
from yolov1_fo.networks import build, darknet_header, darknet_weights, keras_file, parts
from yolov1_fo.pipeline import tiling
from yolov1_fo.runs import checkpoint


class YOLOv1Model(CheckpointModel):
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
        letterbox: whether images keep their aspect ratio, beside gray
        store_logits: whether each detection gets its class logits as an attribute;
            `apply_model(..., store_logits=True)` sets it

    Raises:
        ValueError: if it is letterboxed and `config.darknet` is on
    """

    __module__ = "yolov1_fo.model"  # as databases and files name it

    def __init__(self, config: YOLOv1ModelConfig) -> None:
        self.config = config
        self._sample_with_logits: Any = None
        config.resolve_release()
        if config.settings is None:
            network = self._load(checkpoint.resolve(config.checkpoint_folder()))
        else:
            network = self._build(config.settings, config.classes)
        self.letterbox: bool = self.metadata["settings"].get("letterbox", False)
        if self.letterbox and config.darknet:
            raise ValueError(
                "darknet=True is for networks whose images are stretched, as Darknet's "
                "YOLOv1 does; this network has letterbox=True"
            )
        self.config.set_classes(self.classes)
        super().__init__(network, parts.features_of(network))

    def __repr__(self) -> str:
        network = self.metadata["settings"]["network"]
        return (
            f"<{type(self).__name__} {network}, {self.image_size} px, "
            f"{self.grid.S} x {self.grid.S} cells, {len(self.classes)} classes>"
        )

    @property
    def tiles(self) -> int:
        """Number of tiles per side that images are predicted with: 0 without."""
        tiles = self.config.tiles
        return self.metadata["settings"].get("tiles", 0) if tiles is None else tiles

    def _build(
        self, settings: dict[str, Any], classes: list[str] | None
    ) -> keras.Model:
        self.classes = list(average_precision.CLASSES if classes is None else classes)
        spelling.check_names("setting", settings, NetworkConfig.names())
        config = NetworkConfig(**{**settings, "C": len(self.classes)})
        self.grid = GridConfig.pick(asdict(config))
        path = self.config.weights_path
        origin = f"Darknet weights '{Path(path).name}'" if path else "untrained"
        self.metadata: dict[str, Any] = {
            "classes": self.classes,
            "settings": asdict(config),
            "origin": origin,
        }
        if path is None:
            return build.detector(config)
        if config.has_backbone:
            raise ValueError(
                f"Darknet weights need a network of Darknet's layers, got "
                f"{config.network}"
            )
        darknet_header.read_header(path)  # before a gigabyte is allocated
        network = build.detector(config, zero_init=True)
        darknet_weights.read(path, network)
        return network

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
        network = keras_file.load(folder / checkpoint.NETWORK)
        if len(self.classes) != self.grid.C:
            raise ValueError(
                f"checkpoint '{folder}' must have {self.grid.C} classes, "
                f"got {len(self.classes)}"
            )
        expected, got = _grid.output_size(self.grid), network.output_shape[-1]
        if got != expected:
            raise ValueError(
                f"the network of checkpoint '{folder}' must have {expected} outputs "
                f"for its grid, got {got}"
            )
        return network

    def save(self, checkpoint_dir: str | os.PathLike[str]) -> Path:
        """Writes a checkpoint for `load_model` and `publish`.

        Args:
            checkpoint_dir: a folder that does not exist yet

        Raises:
            ValueError: if it exists, or a weight is not finite
            OSError: if it can't be written
        """
        return checkpoint.create(Path(checkpoint_dir), self.network, self.metadata)

    @property
    def recommended_thresh(self) -> float | None:
        """The confidence threshold of best F1 on the validation split; None if unknown.

        Predictions are not limited to it: see `yolov1_fo.confident`.
        """
        return (self.metadata.get("operating_point") or {}).get("thresh")

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out what it was applied to."""
        return {**super().__getstate__(), "_sample_with_logits": None}

    def __exit__(self, error: Any = None, *_: Any) -> None:
        """Declares the logits that FiftyOne has stored, in the dataset's schema."""
        sample, self._sample_with_logits = self._sample_with_logits, None
        if sample is not None and error is None:
            schema.declare_logits_of(sample)

    def _note(self, labels: Sequence[fol.Detections], samples: Sequence[Any]) -> None:
        """Gives the detections of video frames ids, and notes who has logits.

        FiftyOne merges the objects of video frames by id, so each detection gets an id
        from its rank in the frame: applying the model again replaces it. If there are
        fewer detections than before, the old rest remains; `yolov1_fo.apply` removes
        it.
        """
        for label, sample in zip(labels, samples, strict=True):
            if isinstance(sample, fofr.Frame | fofr.FrameView):
                fiftyone_boxes.set_stable_ids(
                    label, f"{sample.sample_id} {sample.frame_number}"
                )
            if self.store_logits and label.detections:
                self._sample_with_logits = sample

    def labels_of(
        self, outputs: Array, windows: Array | None = None
    ) -> list[fol.Detections]:
        """Returns the detections of each image as labels.

        Args:
            outputs: (N, outputs) from `forward`
            windows (None): as in `detected`
        """
        return self._labels_of(outputs, windows, 0)

    def _labels_of(
        self, outputs: Array, windows: Array | None, tiles: int
    ) -> list[fol.Detections]:
        found = self._found(outputs, windows, tiles, self.store_logits)
        return [
            fiftyone_boxes.to_detections(*detections, self.classes, logits)
            for detections, logits in found
        ]

    def documents_of(
        self,
        outputs: Array,
        windows: Array | None = None,
        *,
        tiles: int = 0,
        store_logits: bool = False,
    ) -> list[dict[str, Any]]:
        """Returns the detections of images as stored in the database, which is faster.

        Args:
            outputs: from `forward` of the pixels of `inputs`
            windows (None): from `inputs`
            tiles (0): as in `inputs`
            store_logits (False): whether each detection gets its class logits
        """
        found = self._found(outputs, windows, tiles, store_logits)
        return [
            fiftyone_boxes.to_document(*detections, self.classes, logits)
            for detections, logits in found
        ]

    def _labels(self, args: Sequence[Array]) -> list[fol.Detections]:
        pixels, windows = self.inputs(args, self.tiles)
        self._last_pixels = pixels[:: tiling.count(self.tiles)]  # the whole images
        batches = range(0, len(pixels), len(args))  # of the size that was asked for
        outputs = [self.forward(pixels[start : start + len(args)]) for start in batches]
        return self._labels_of(np.concatenate(outputs), windows, self.tiles)

    def inputs(
        self, args: Sequence[Array], tiles: int = 0
    ) -> tuple[Array, Array | None]:
        """Returns what the network computes of images, and windows, for `documents_of`.

        Args:
            args: images (H, W, 3) uint8 RGB, of any sizes
            tiles (0): number of tiles per side that follow each image

        Returns:
            pixels (N P, H, W, 3) of the P parts of each image, and their windows
        """
        pixels = [np.asarray(image) for image in args]
        for image in pixels:
            image_model.check_pixels(image)
        parts = [part for image in pixels for part in tiling.cut(image, tiles)]
        return self.prepared(parts), self.windows([part.shape[:2] for part in parts])

    def _found(
        self, outputs: Array, windows: Array | None, tiles: int, has_logits: bool
    ) -> list[tuple[decode.Detections, Array | None]]:
        """Returns the detections of each image, with their logits if wanted.

        Args:
            outputs: (N P, outputs), of P parts per image
            windows: of the same rows
            tiles: per side; 0 is none
            has_logits: whether logits are wanted
        """
        found: list[tuple[decode.Detections, Array | None]]
        if has_logits:
            found = [*self.detected_with_logits(outputs, windows)]
        else:
            boxes = decode.decode(
                outputs, self.grid, **self._decoding(), windows=windows
            )
            found = [(one, None) for one in boxes]
        count = tiling.count(tiles)
        if count == 1:
            return found
        return [
            self._merged(found[start : start + count], tiles)
            for start in range(0, len(found), count)
        ]

    def _merged(
        self, parts: Sequence[tuple[decode.Detections, Array | None]], tiles: int
    ) -> tuple[decode.Detections, Array | None]:
        """Returns the detections of a tiled image, and their logits."""
        detections, rows = tiling.merge(
            [one for one, _ in parts],
            tiles,
            iou_thresh=self.config.iou_thresh,
            max_detections=self.config.max_detections,
            class_agnostic=self.config.class_agnostic,
        )
        logits = [one for _, one in parts if one is not None]
        return detections, np.concatenate(logits)[rows] if logits else None

    def resized(self, image: Array) -> Array:
        """Returns an image resized for the network: stretched, or letterboxed.

        Args:
            image: (H, W, 3) uint8 RGB
        """
        return resizing.to_square(
            image,
            self.image_size,
            align_corners=self.config.darknet,
            letterbox=self.letterbox,
        )

    def windows(self, sizes: Sequence[tuple[int, int]]) -> Array | None:
        """Returns where images lie in the network's input, for `detected`.

        Args:
            sizes: height and width of each image before it is resized, in pixels

        Returns:
            (N, 4) xyxy, relative to the input; None if images are stretched
        """
        if not self.letterbox:
            return None
        return letterboxing.windows(sizes, self.image_size)

    def detected(
        self, y_pred: Array, windows: Array | None = None, tiles: int = 0
    ) -> list[decode.Detections]:
        """Returns the detections of each image: boxes, scores and class ids.

        Args:
            y_pred: (N, outputs) from `forward`
            windows (None): of the images, from `windows`; without, boxes are relative
                to the network's input
            tiles (0): as in `inputs`
        """
        return [one for one, _ in self._found(y_pred, windows, tiles, False)]

    def detected_with_logits(
        self, y_pred: Array, windows: Array | None = None
    ) -> list[tuple[decode.Detections, Array]]:
        """Returns `detected`, with the class logits of each detection: (K, C).

        Args:
            y_pred: as in `detected`
            windows (None): as in `detected`
        """
        return decode.decode_with_logits(
            y_pred, self.grid, **self._decoding(), windows=windows
        )

    def _decoding(self) -> dict[str, Any]:
        """Returns the settings of `decode.decode`."""
        config = self.config
        return {
            "confidence_thresh": config.confidence_thresh or 0.0,
            "iou_thresh": config.iou_thresh,
            "max_detections": config.max_detections,
            "class_agnostic": config.class_agnostic,
            "class_ids": self._class_ids(),
            "darknet": config.darknet,
        }

    def _class_ids(self) -> list[int] | None:
        names = self.config.filter_classes
        return None if names is None else [self.classes.index(name) for name in names]
