"""What a model says about images that nobody has labeled: detections, embeddings."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.decode import Detections
from yolov1_fo.inference.prediction_pass import PredictionPass, files_of
from yolov1_fo.model.yolov1_model import YOLOv1Model
from yolov1_fo.pipeline import tiling


class ImageScores(NamedTuple):
    """What a model says about some images.

    Attributes:
        ids: of the samples; without those that can't be read
        embeddings: (N, D)
        found: detections of all scores
    """

    ids: list[str]
    embeddings: Array
    found: list[Detections]


def read(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    *,
    batch_size: int,
    progress: bool | Callable[..., Any] | None,
) -> ImageScores:
    """Runs a model on samples.

    Args:
        samples: a checked collection
        model: from `load_model`
        batch_size: images per forward pass
        progress: as in FiftyOne
    """
    tiles = model.tiles

    def forward(pixels: Array) -> tuple[Array, Array]:
        whole = pixels[:: tiling.count(tiles)]
        return model.forward(pixels), model.embed_pixels(whole)

    ids: list[str] = []
    embeddings: list[Array] = []
    found: list[Detections] = []
    batches = PredictionPass(
        *(files_of(samples, model), model, batch_size),
        progress=progress,
        forward=forward,
        tiles=tiles,
    )
    with batches:
        for some, (y_pred, embedded), windows in batches:
            ids += some
            embeddings.append(embedded)
            found += model.detected(y_pred, windows, tiles)
    return ImageScores(ids, _stacked(embeddings), found)


def embed(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    *,
    batch_size: int,
    progress: bool | Callable[..., Any] | None,
) -> Array:
    """Returns the embeddings of samples, without those that can't be read: (N, D).

    Args:
        samples: a checked collection
        model: from `load_model`
        batch_size: images per forward pass
        progress: as in FiftyOne
    """
    batches = PredictionPass(
        *(files_of(samples, model), model, batch_size),
        progress=progress,
        forward=model.embed_pixels,
    )
    with batches:
        return _stacked([embedded for _, embedded, _ in batches])


def _stacked(parts: list[Array]) -> Array:
    return np.concatenate(parts) if parts else np.zeros((0, 1))
