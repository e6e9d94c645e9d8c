"""Where the time of an image goes: the stages of `apply`, each alone, beside `apply`.

In `apply` they overlap. The forward pass uses all cores, the other stages one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import fiftyone as fo
import numpy as np
from tabulate import tabulate

import yolov1_fo
from benchmarks import measuring
from benchmarks.measuring import Figure
from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.datasets import fiftyone_boxes
from yolov1_fo.datasets.predictions_field import PredictionsField
from yolov1_fo.inference import prediction_pass
from yolov1_fo.model.yolov1_model import YOLOv1Model

STAGES = (
    *("listing", "reading and resizing", "forward pass", "decoding, with NMS"),
    *("building documents", "writing"),
)
SUM, APPLY = "sum of the stages", "apply"
HEADERS = ("stage", "ms per image", "of apply's time")


def figures(
    name: str, model: YOLOv1Model, dataset: fo.Dataset, batch_size: int, rounds: int
) -> Iterator[Figure]:
    """Yields milliseconds per image of each stage alone, of their sum and of `apply`.

    Args:
        name: of the model
        model: that predicts
        dataset: of readable images
        batch_size: images per forward pass
        rounds: number of measurements
    """
    calls = _calls(model, dataset, batch_size)
    calls[APPLY] = lambda: yolov1_fo.apply(
        dataset, model, "whole", batch_size=batch_size, progress=False
    )
    times = measuring.alternate(calls, rounds)
    whole = times.pop(APPLY)
    times |= {SUM: sum(times.values()), APPLY: whole}
    found = [
        measuring.figure(_what(name, stage), 1000 * seconds / len(dataset), "ms")
        for stage, seconds in times.items()
    ]
    yield from found
    print(table(name, [one._asdict() for one in found]))


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """Returns the table of a model's stages; what was not measured is empty.

    Args:
        name: of the model
        rows: figures of the part "applying", as JSON has them
    """
    values = {row["what"]: row["value"] for row in rows}
    whole = values.get(_what(name, APPLY))
    lines = []
    for stage in (*STAGES, SUM, APPLY):
        value = values.get(_what(name, stage))
        cells = ("", "") if value is None else (f"{value:.2f}", f"{value / whole:.0%}")
        lines.append((stage, *cells))
    return tabulate(lines, HEADERS, tablefmt="github", disable_numparse=True)


def _what(name: str, stage: str) -> str:
    return f"{name}, time of one image: {stage}"


def _calls(
    model: YOLOv1Model, dataset: fo.Dataset, batch_size: int
) -> dict[str, Callable[[], Any]]:
    """Returns what computes each stage, from the results of the one before it."""
    ids, paths = map(list, zip(*prediction_pass.files_of(dataset, model), strict=True))
    read = _read(model, paths)
    pixels = [one.image for one in read]
    windows = model.windows([one.size for one in read])
    outputs = _forward(model, pixels, batch_size)
    found = _decode(model, outputs, windows, batch_size)
    documents = _documents(model, found)
    calls: tuple[Callable[[], Any], ...] = (
        lambda: [*prediction_pass.files_of(dataset, model)],
        lambda: _read(model, paths),
        lambda: _forward(model, pixels, batch_size),
        lambda: _decode(model, outputs, windows, batch_size),
        lambda: _documents(model, found),
        lambda: _write(dataset, ids, documents),
    )
    return dict(zip(STAGES, calls, strict=True))


def _read(model: YOLOv1Model, paths: list[str]) -> list[images.ReadResult]:
    return [
        images.decode(path, model.image_size, letterbox=model.letterbox)
        for path in paths
    ]


def _forward(model: YOLOv1Model, pixels: list[Any], batch_size: int) -> Array:
    """Returns the network's output, which is computed on all cores: (N, outputs)."""
    starts = range(0, len(pixels), batch_size)
    batches = (np.stack(pixels[start : start + batch_size]) for start in starts)
    return np.concatenate([model.forward(batch) for batch in batches])


def _decode(
    model: YOLOv1Model, outputs: Array, windows: Array | None, batch_size: int
) -> list[Any]:
    found = []
    for start in range(0, len(outputs), batch_size):
        rows = slice(start, start + batch_size)
        found += model.detected(
            outputs[rows], None if windows is None else windows[rows]
        )
    return found


def _documents(model: YOLOv1Model, found: list[Any]) -> list[dict[str, Any]]:
    return [fiftyone_boxes.to_document(*one, model.classes) for one in found]


def _write(dataset: fo.Dataset, ids: list[str], documents: list[Any]) -> None:
    """Writes the detections, with the check and the declaration of the field."""
    with PredictionsField(dataset, "stages", model={"model": "stages"}) as output:
        for sample_id, document in zip(ids, documents, strict=True):
            output.add(sample_id, document)
