"""Speed of a model's forward pass in each runtime, beside the bare runtimes.

    python -m benchmarks.runtimes --json FILE

The network is that of the recipe `transfer`, untrained. The bare runtimes get an export
and images as they need them; a model gets uint8 images.
"""

import argparse
import functools
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

import yolov1_fo
from benchmarks import measuring
from yolov1_fo import allocator
from yolov1_fo.config import TrainConfig
from yolov1_fo.model.model_config import YOLOv1ModelConfig
from yolov1_fo.networks import formats

NETWORK = "yolov1-efficientnet-lite0"
CLASSES = ["bus", "car", "motorbike", "person", "truck"]
SIZES, BATCHES = (256, 320), (1, 8, 32)
RUNTIMES = {
    "float32": ("keras", "openvino", "onnxruntime"),
    "bfloat16": ("keras", "openvino"),
}
BARE = "bare "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="%(default)s")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    rows = []
    for size, precision in itertools.product(SIZES, RUNTIMES):
        with allocator.keep_freed_memory():  # as during `apply`
            rows += measure(size, precision, arguments.rounds)
        measuring.write(arguments.json, {"network": NETWORK, "runs": rows})
    print(table(rows))


def measure(size: int, precision: str, rounds: int) -> Iterator[dict[str, Any]]:
    """Yields the times of an image size in a precision, for each batch size."""
    names = RUNTIMES[precision]
    models = {name: _model(size, precision, name) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        yolov1_fo.export(models["keras"], path, "onnx")
        bare = {
            f"{BARE}{name}": _bare(name, path, precision)
            for name in names
            if name != "keras"
        }
    for batch in BATCHES:
        shape = (batch, size, size, 3)
        pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        scaled = pixels / np.float32(255)
        calls: dict[str, Callable[[], Any]] = {
            name: functools.partial(one.forward, pixels) for name, one in models.items()
        }
        calls |= {name: functools.partial(run, scaled) for name, run in bare.items()}
        times = measuring.alternate(calls, rounds, warm_up=3)
        yield {
            "image_size": size,
            "precision": precision,
            "batch": batch,
            "milliseconds": {
                name: 1e3 * float(np.median(seconds)) / batch
                for name, seconds in times.items()
            },
        }


def _model(size: int, precision: str, runtime: str) -> Any:
    recipe = TrainConfig.for_network(NETWORK)
    settings = {
        "network": NETWORK,
        "image_size": size,
        "S": size // 16,
        "pretrained": False,
        "batch_norm": recipe.batch_norm,
        "separable_head": recipe.separable_head,
        "output_activation": recipe.output_activation,
    }
    about = {"settings": settings, "classes": CLASSES}
    config = YOLOv1ModelConfig({**about, "precision": precision, "runtime": runtime})
    return yolov1_fo.YOLOv1Model(config)


def _bare(name: str, path: Path, precision: str) -> Callable[[Any], Any]:
    """Returns what runs an ONNX file, as the documentation of a runtime shows it."""
    if name == "onnxruntime":
        return formats.load_onnx(path)
    return formats.load_openvino(path, precision)


def table(rows: list[dict[str, Any]]) -> str:
    """Returns the milliseconds per image as a Markdown table."""
    lines = []
    for row in rows:
        times = row["milliseconds"]
        best = min(seconds for name, seconds in times.items() if BARE in name)
        ours = min(seconds for name, seconds in times.items() if BARE not in name)
        lines.append(
            {
                **{key: row[key] for key in ("image_size", "precision", "batch")},
                **{name: f"{times[name]:.1f}" if name in times else "" for name in ALL},
                "best bare / our best": f"{best / ours:.2f}",
            }
        )
    return tabulate(lines, headers="keys", tablefmt="github", disable_numparse=True)


ALL = (*RUNTIMES["float32"], f"{BARE}openvino", f"{BARE}onnxruntime")


if __name__ == "__main__":
    main()
