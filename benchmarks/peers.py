"""The same forward pass in other libraries, each in a process of its own.

    python -m benchmarks.peers write FOLDER NETWORK BATCH
    python -m benchmarks.peers LIBRARY FOLDER NETWORK THREADS

The first command writes a network and images. The second loads them, saves its first
output to FOLDER, and measures further ones.
"""

import importlib.util
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import processes
from yolov1_fo.architectures import NETWORKS, Connected, Conv, Pool
from yolov1_fo.boxes import Array

NEEDS = {
    "yolov1_fo float32": "keras",
    "yolov1_fo bfloat16": "keras",
    "PyTorch float32": "torch",
    "PyTorch bfloat16": "torch",
    "ONNX Runtime float32": "onnxruntime",
    "OpenVINO float32": "openvino",
    "OpenVINO bfloat16": "openvino",
}
"""Libraries and precisions, with the packages that they need."""
WEIGHTS, ONNX, IMAGES = "network.keras", "network.onnx", "images.npy"
CLASSES = 20
WRITE = "write"


def missing(library: str) -> str | None:
    """Returns the missing package of a library; None if it can run."""
    needed = [NEEDS[library]]
    if needed[0] in ("onnxruntime", "openvino"):
        needed += ["torch", "onnx"]  # for its model file
    return next((one for one in needed if not importlib.util.find_spec(one)), None)


def write(folder: Path, name: str, batch: int, *, onnx: bool) -> None:
    """Writes a random network, and images.

    Args:
        folder: for the files
        name: name of the network
        batch: number of images
        onnx: writes an ONNX file too
    """
    from yolov1_fo.config import NetworkConfig
    from yolov1_fo.networks import build

    config = NetworkConfig(network=name, C=CLASSES)
    network = build.detector(config)
    network.save(folder / WEIGHTS)
    shape = (batch, config.image_size, config.image_size, 3)
    np.save(folder / IMAGES, np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    if onnx:
        _write_onnx(folder, name)


def _torch(folder: Path, name: str) -> Any:
    """Returns the network in PyTorch, with the written weights."""
    import keras
    import torch

    network = keras.saving.load_model(folder / WEIGHTS, compile=False)
    weights = iter(one.get_weights() for one in network.layers if one.weights)
    table = [*NETWORKS[name].layers, Connected(0, leaky=False)]
    kinds = [one for one in table if isinstance(one, Conv | Pool | Connected)]
    modules: list[Any] = []
    for before, one in zip([None, *kinds], kinds, strict=False):
        if isinstance(one, Pool):
            modules.append(torch.nn.MaxPool2d(one.size))
            continue
        kernel, bias = map(torch.tensor, next(weights))
        if isinstance(one, Conv):
            kernel = kernel.permute(3, 2, 0, 1)
            sizes = one.size, one.stride, one.size // 2
            module = torch.nn.Conv2d(*kernel.shape[1::-1], *sizes)
        else:
            kernel = kernel.T
            module = torch.nn.Linear(*kernel.shape[::-1])
            if not isinstance(before, Connected):
                modules.append(torch.nn.Flatten())
        module.weight.data, module.bias.data = kernel.contiguous(), bias
        modules.append(module)
        if isinstance(one, Conv) or one.leaky:
            modules.append(torch.nn.LeakyReLU(0.1))
    return torch.nn.Sequential(*modules).eval()


def _write_onnx(folder: Path, name: str) -> None:
    """Writes the PyTorch network as ONNX."""
    import torch

    images = torch.zeros((1, 3, 448, 448))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # deprecated; the new exporter needs another package
        torch.onnx.export(
            _torch(folder, name),
            (images,),
            str(folder / ONNX),
            dynamo=False,
            input_names=["image"],
            dynamic_axes={"image": {0: "n"}},
        )


def _scaled(images: Array) -> Array:
    """Returns images channels first, in [-1, 1]."""
    return np.ascontiguousarray(np.moveaxis(images, -1, 1), np.float32) / 127.5 - 1


def load(library: str, folder: Path, name: str, threads: int) -> Callable[[], Array]:
    """Returns a forward pass over the images."""
    images = np.load(folder / IMAGES)
    package, precision = library.rsplit(" ", 1)
    if package == "yolov1_fo":
        import keras

        from yolov1_fo.networks.predictor import Predictor

        network = keras.saving.load_model(folder / WEIGHTS, compile=False)
        predict = Predictor(network, precision)
        return lambda: predict(images)
    scaled = _scaled(images)
    if package == "PyTorch":
        import torch

        torch.set_num_threads(threads)
        kind = getattr(torch, precision)
        module = _torch(folder, name).to(kind, memory_format=torch.channels_last)
        tensor = torch.tensor(scaled).to(kind, memory_format=torch.channels_last)

        def forward() -> Array:
            with torch.inference_mode():
                return module(tensor).float().numpy()

        return forward
    if package == "ONNX Runtime":
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


def main() -> None:
    library, folder, name, threads = sys.argv[1:]
    if library == WRITE:
        onnx = any(one.startswith("O") and not missing(one) for one in NEEDS)
        write(Path(folder), name, int(threads), onnx=onnx)
        return
    forward = load(library, Path(folder), name, int(threads))
    np.save(Path(folder) / f"{library}.npy", forward())
    processes.serve(forward)


if __name__ == "__main__":
    main()
