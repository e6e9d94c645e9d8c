"""Speed of `apply_model` and `apply`, compared with reading and forward pass alone.

`apply_stages` measures the parts of `apply`.

`apply_model` ignores `num_workers`; docs/own-data.md says why.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np

import yolov1_fo
from benchmarks import apply_stages, measuring
from benchmarks.measuring import Figure
from tests.micro import MICRO
from yolov1_fo import decode
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.model.yolov1_model import YOLOv1Model, YOLOv1ModelConfig
from yolov1_fo.pipeline import image_loading

BATCH_SIZE, DETECTIONS = 16, 10
MICRO_NETWORK, INCLUDED = "micro", "yolov1-highway"
CASES: dict[str, dict[str, Any]] = {
    INCLUDED: {},
    "fast-yolov1": {"image_size": 448},
    MICRO_NETWORK: {"image_size": 64, "S": 2},
}
STAGES_OF = (INCLUDED, MICRO_NETWORK)
TARGETS = {INCLUDED: (None, 1.25), "fast-yolov1": (1.25, 1.1)}
"""Upper limits of `apply_model` and `apply`, as a multiple of both parts."""


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields images per second of each function, and ratios."""
    NETWORKS[MICRO_NETWORK] = MICRO
    paths = sorted(str(path) for path in (photographs / "highway").rglob("*.jpg"))
    for name in [MICRO_NETWORK] if quick else CASES:
        yield from _case(name, paths[: 32 if quick else 320], 2 if quick else 7)


def _case(name: str, paths: list[str], rounds: int) -> Iterator[Figure]:
    if name == INCLUDED:
        model = yolov1_fo.load_model(name)
    else:
        settings = {"network": name, **CASES[name]}
        model = YOLOv1Model(
            YOLOv1ModelConfig({"settings": settings, "classes": list("abcde")})
        )
    pixels = np.stack(
        [
            one.image
            for one in image_loading.read_all(paths[: 2 * BATCH_SIZE], model.image_size)
        ]
    )
    if name != INCLUDED:
        _make_detections(model, pixels)
    found = model.predict_pixels(pixels)
    mean = float(np.mean([len(one.detections) for one in found]))
    dataset = fo.Dataset()
    dataset.add_samples([fo.Sample(filepath=path) for path in paths], progress=False)

    def read_and_forward() -> None:
        batch = []
        for one in image_loading.read_all(paths, model.image_size):
            batch.append(one.image)
            if len(batch) == BATCH_SIZE:
                model.forward(np.stack(batch))
                batch = []

    times = measuring.alternate(
        {
            "reading and forward": read_and_forward,
            "apply_model": lambda: dataset.apply_model(
                model, "apply_model", batch_size=BATCH_SIZE, progress=False
            ),
            "apply_model with num_workers=2": lambda: dataset.apply_model(
                *(model, "workers"),
                batch_size=BATCH_SIZE,
                num_workers=2,
                progress=False,
            ),
            "apply": lambda: yolov1_fo.apply(
                dataset, model, "apply", batch_size=BATCH_SIZE, progress=False
            ),
        },
        rounds,
    )
    yield from _compare(name, mean, len(paths), times)
    if name in STAGES_OF:
        yield from apply_stages.figures(name, model, dataset, BATCH_SIZE, rounds)
    dataset.delete()


def _compare(
    name: str, mean: float, n: int, times: dict[str, np.ndarray]
) -> Iterator[Figure]:
    """Yields images per second of each function, and ratios."""
    what = f"{name}, batch {BATCH_SIZE}, {mean:.1f} detections per image"
    for function, seconds in times.items():
        yield measuring.figure(f"{what}: {function}", n / seconds, "images/s")
    functions = ("apply_model", "apply")
    for function, target in zip(
        functions, TARGETS.get(name, (None, None)), strict=True
    ):
        yield measuring.figure(
            f"{what}: time of {function} / reading and forward",
            times[function] / times["reading and forward"],
            target=target,
            at_most=True,
        )
    yield measuring.figure(
        f"{what}: speed of apply / apply_model",
        times["apply_model"] / times["apply"],
        target=1.5 if name == MICRO_NETWORK else None,
    )


def _make_detections(model: YOLOv1Model, pixels: np.ndarray) -> None:
    """Makes an untrained network detect a few objects per image.

    Its class probabilities are scaled until that many boxes reach the threshold.
    """
    y_pred = model.network.predict_on_batch(pixels / np.float32(255))
    _, scores = decode.boxes_and_scores(y_pred, model.grid)
    reached = np.sort(scores[scores > 0])[-DETECTIONS * len(pixels) :][0]
    output = model.network.get_layer("output")
    kernel, bias = output.get_weights()
    probabilities = slice(model.grid.S**2 * model.grid.C)
    scale = model.config.confidence_thresh / reached
    kernel[:, probabilities] *= scale
    bias[probabilities] *= scale
    output.set_weights([kernel, bias])
