"""The same forward pass in several libraries, each in a process of its own.

    python -m benchmarks.peers write FOLDER NETWORK IMAGE_SIZE BATCH
    python -m benchmarks.peers LIBRARY FOLDER REPEATS

The first command writes a network and images. The second loads them, saves its output
to FOLDER, and measures further forward passes. This library gets uint8 images, others
images in the layout and range that they need.
"""

import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import processes
from yolov1_fo.boxes import Array


class Library(NamedTuple):
    """What computes a forward pass.

    Attributes:
        precision: of the computation
        runtime: of a model of this package; empty for other libraries
        packages: that it needs
    """

    precision: str
    runtime: str
    packages: tuple[str, ...]


OURS = "yolov1_fo"
_FILE = ("torch", "onnx")  # for the ONNX file
_OPENVINO, _ONNXRUNTIME = ("openvino", "onnx"), ("onnxruntime", "onnx")
LIBRARIES = {
    f"{OURS} float32": Library("float32", "keras", ()),
    f"{OURS} (OpenVINO) float32": Library("float32", "openvino", _OPENVINO),
    f"{OURS} (ONNX Runtime) float32": Library("float32", "onnxruntime", _ONNXRUNTIME),
    "PyTorch float32": Library("float32", "", ("torch",)),
    "ONNX Runtime float32": Library("float32", "", ("onnxruntime", *_FILE)),
    "OpenVINO float32": Library("float32", "", ("openvino", *_FILE)),
    f"{OURS} bfloat16": Library("bfloat16", "keras", ()),
    f"{OURS} (OpenVINO) bfloat16": Library("bfloat16", "openvino", _OPENVINO),
    "PyTorch bfloat16": Library("bfloat16", "", ("torch",)),
    "OpenVINO bfloat16": Library("bfloat16", "", ("openvino", *_FILE)),
}
CHECKPOINT, ONNX, IMAGES = "checkpoint", "network.onnx", "images.npy"
CLASSES = [f"class {number}" for number in range(20)]
WRITE = "write"


def missing(library: str) -> str | None:
    """Returns the missing package of a library; None if it can run."""
    packages = LIBRARIES[library].packages
    return next((one for one in packages if not importlib.util.find_spec(one)), None)


def write(folder: Path, network: str, image_size: int, batch: int) -> None:
    """Writes a network without training, also as ONNX if PyTorch is there, and images.

    Args:
        folder: for the files
        network: its name
        image_size: in pixels
        batch: number of images
    """
    from yolov1_fo.config import NetworkConfig, TrainConfig
    from yolov1_fo.model.yolov1_model import YOLOv1Model, YOLOv1ModelConfig

    settings = {"network": network, "image_size": image_size}
    if NetworkConfig(network=network).has_backbone:
        recipe = vars(TrainConfig.for_network(network))
        chosen = ("batch_norm", "separable_head", "output_activation")
        settings |= {name: recipe[name] for name in chosen}
        settings["S"] = image_size // 16
    config = YOLOv1ModelConfig({"settings": settings, "classes": CLASSES})
    model = YOLOv1Model(config)
    model.save(folder / CHECKPOINT)
    shape = (batch, image_size, image_size, 3)
    np.save(folder / IMAGES, np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    if all(map(importlib.util.find_spec, _FILE)):
        _write_onnx(model.network, image_size, folder / ONNX)


def _write_onnx(network: Any, image_size: int, path: Path) -> None:
    """Writes a network as PyTorch exports it."""
    import torch

    from benchmarks.torch_networks import Graph

    with warnings.catch_warnings():
        # Deprecated; the new exporter needs another package.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Graph(network).eval(),
            (torch.zeros((1, 3, image_size, image_size)),),
            str(path),
            dynamo=False,
            input_names=["image"],
            dynamic_axes={"image": {0: "n"}},
        )


def load(library: str, folder: Path) -> Callable[[], Array]:
    """Returns a forward pass over the images."""
    images, threads = np.load(folder / IMAGES), os.cpu_count() or 1
    precision, runtime, _ = LIBRARIES[library]
    if runtime:
        import yolov1_fo

        model = yolov1_fo.load_model(
            folder / CHECKPOINT, precision=precision, runtime=runtime
        )
        return lambda: model.forward(images)
    scaled = np.ascontiguousarray(np.moveaxis(images, -1, 1), np.float32) / 255
    if library.startswith("PyTorch"):
        return _load_torch(folder, scaled, precision, threads)
    if library.startswith("ONNX Runtime"):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            folder / ONNX, options, providers=["CPUExecutionProvider"]
        )
        return lambda: session.run(None, {"image": scaled})[0]
    import openvino

    hints = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(folder / ONNX, "CPU", hints)
    return lambda: compiled(scaled)[0]


def _load_torch(
    folder: Path, scaled: Array, precision: str, threads: int
) -> Callable[[], Array]:
    import torch

    import yolov1_fo
    from benchmarks.torch_networks import Graph

    torch.set_num_threads(threads)
    kind = getattr(torch, precision)
    network = yolov1_fo.load_model(folder / CHECKPOINT, precision="float32").network
    graph = Graph(network).eval().to(kind, memory_format=torch.channels_last)
    images = torch.tensor(scaled).to(kind, memory_format=torch.channels_last)

    def forward() -> Array:
        with torch.inference_mode():
            return graph(images).float().numpy()

    return forward


def main() -> None:
    if sys.argv[1] == WRITE:
        folder, network, *numbers = sys.argv[2:]
        write(Path(folder), network, *map(int, numbers))
        return
    library, folder, repeats = sys.argv[1:]
    forward = load(library, Path(folder))
    np.save(Path(folder) / f"{library}.npy", forward())
    if LIBRARIES[library].runtime:
        from yolov1_fo import allocator

        with allocator.keep_freed_memory():  # as during `apply`
            processes.serve(forward, int(repeats))
    else:
        processes.serve(forward, int(repeats))


if __name__ == "__main__":
    main()
