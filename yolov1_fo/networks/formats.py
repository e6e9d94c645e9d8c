"""The export formats: how each is written and run, with third-party packages."""

import contextlib
import functools
import logging
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from yolov1_fo.boxes import Array
from yolov1_fo.networks import tensorflow_startup

INPUT = "image"
"""Name of the input in every format."""
OPENVINO_MODEL = "model.xml"
"""File in the folder of an export for OpenVINO, beside `model.bin`."""

Run = Callable[[Array], list[Array]]
"""Maps pixels to the outputs."""

_LARGE = 2**16
"""Weights of this size or more bypass the conversion to ONNX."""
_SCALING = ("Cast", "Mul", "Div", "Add", "Sub")
"""What ONNX calls the operations that scale an image."""


class Format(NamedTuple):
    """How a format is written and run.

    Attributes:
        runtime: package that runs it
        max_bytes: size limit
        write: exports a network to a path
        load: returns a function that runs the export at a path, or the ONNX file that
            it is made from
        finish: makes the export of the ONNX file that `write` writes; None if that is
            the export
    """

    runtime: str
    max_bytes: float
    write: Callable[[keras.Model, Path], None]
    load: Callable[[Path], Run]
    finish: Callable[[Path, Path], None] | None = None


@contextlib.contextmanager
def hidden_output() -> Iterator[None]:
    """Hides the output of the packages of a format, and restores the root logger.

    Some write to standard error; others add a handler to the root logger, which would
    print our log lines a second time.
    """
    with tensorflow_startup.hidden_stderr():
        handlers, level = [*logging.root.handlers], logging.root.level
        try:
            yield
        finally:
            logging.root.handlers[:] = handlers
            logging.root.setLevel(level)


def _write_saved_model(network: keras.Model, path: Path) -> None:
    import tensorflow as tf

    # Keras' own export stores every weight twice.
    module = tf.Module()
    module.weights = [weight.value for weight in network.weights]
    module.serve = tf.function(
        lambda image: network(image, training=False),
        input_signature=[_image(network)],
        autograph=False,
    )
    tf.saved_model.save(module, path, {"serving_default": module.serve})


def _load_saved_model(path: Path) -> Run:
    import tensorflow as tf

    module = tf.saved_model.load(path)
    return lambda pixels: [module.serve(pixels).numpy()]


def write_onnx(network: keras.Model, path: Path) -> None:
    """Converts the network with its large weights as inputs, then inserts the weights.

    The converter copies constants dozens of times: the paper's network would need 60 GB
    of memory.

    Args:
        network: with one input, which is called `INPUT` in the file
        path: of the file
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    # 1. Convert the network without its large weights.
    large = [w for w in network.weights if math.prod(w.shape) >= _LARGE]
    names = [f"weight_{number}" for number in range(len(large))]

    def serve(image: Array, *weights: Array) -> dict[str, Array]:
        pairs = list(zip(large, weights, strict=True))
        with keras.StatelessScope(state_mapping=pairs):
            outputs = network(image, training=False)
        return outputs if isinstance(outputs, dict) else {"output": outputs}

    signature = [_image(network)]
    for weight, name in zip(large, names, strict=True):
        signature.append(tf.TensorSpec(weight.shape, weight.dtype, name))
    function = tf.function(serve, autograph=False)
    model, _ = tf2onnx.convert.from_function(function, signature)

    # 2. Apply the transposes of weights, since channels come first in ONNX.
    graph = model.graph
    values = dict(zip(names, map(ops.convert_to_numpy, large), strict=True))
    for node in [n for n in graph.node if n.op_type == "Transpose"]:
        if node.input[0] in values:
            order = onnx.helper.get_node_attr_value(node, "perm")
            values[node.output[0]] = values[node.input[0]].transpose(order)
            graph.node.remove(node)

    # 3. Turn the inputs into weights.
    used = {name for node in graph.node for name in node.input}
    for name in [name for name in values if name in used]:
        array = np.ascontiguousarray(values.pop(name))
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for weight in [one for one in graph.input if one.name != INPUT]:
        graph.input.remove(weight)
    _transpose_first(graph)
    onnx.save(model, path)


def _transpose_first(graph: Any) -> None:
    """Moves the transpose of the image before its scaling.

    Runtimes scale images faster with channels first. Only scaling by numbers is moved,
    not by one number per channel.

    Args:
        graph: of an ONNX model, changed in place
    """
    producers = {name: node for node in graph.node for name in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    numbers = {one.name for one in graph.initializer if math.prod(one.dims) == 1}

    def is_scaling(name: str) -> bool:
        node = producers.get(name)
        return (
            node is not None
            and node.op_type in _SCALING
            and set(node.input[1:]) <= numbers
            and uses[name] == 1
        )

    for transpose in [node for node in graph.node if node.op_type == "Transpose"]:
        chain, name = [], transpose.input[0]
        while is_scaling(name):
            chain.append(producers[name])
            name = chain[-1].input[0]
        if name == INPUT and chain and uses[INPUT] == 1:
            _replace_input(graph.node, transpose.output[0], chain[0].output[0])
            _replace_input(chain[-1:], INPUT, transpose.output[0])
            transpose.input[0] = INPUT
            graph.node.remove(transpose)
            graph.node.insert(0, transpose)


def _replace_input(nodes: Iterable[Any], old: str, new: str) -> None:
    """Replaces an input of the nodes of an ONNX graph by its name."""
    for node in nodes:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new


def load_onnx(path: Path) -> Run:
    """Returns a function that runs an ONNX file on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    return lambda pixels: session.run(None, {INPUT: pixels})


def openvino_of_onnx(onnx_path: Path, path: Path) -> None:
    """Converts an ONNX file to a folder with OpenVINO's `model.xml` and `model.bin`."""
    import openvino

    model = openvino.convert_model(onnx_path)
    openvino.save_model(model, path / OPENVINO_MODEL, compress_to_fp16=False)


def load_openvino(file: Path, precision: str = "float32") -> Run:
    """Returns a function that runs a model on the CPU, one batch at a time.

    Args:
        file: ONNX, or `OPENVINO_MODEL` of an export
        precision (float32): bfloat16, or int8 for a quantized model
    """
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": _threads(),
    }
    run = _openvino_core().compile_model(file, "CPU", hints)
    return lambda pixels: [*run({INPUT: pixels}).values()]


def _threads() -> int:
    """Returns how many threads compute, as TensorFlow is told; 0: one per CPU core."""
    number = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return int(number) if number.isdecimal() else 0


@functools.cache
def _openvino_core() -> Any:
    """OpenVINO; it remains, so that what it has loaded is never freed.

    Its CPU plugin replaces the stack on which this thread handles signals, and another
    thread that frees the plugin can't set the former one again: the next signal would
    kill the process.
    """
    import openvino

    return openvino.Core()


def _write_litert(network: keras.Model, path: Path) -> None:
    import tensorflow as tf

    saved = path.with_name(f"{path.name}-saved_model")
    _write_saved_model(network, saved)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    path.write_bytes(converter.convert())


def _load_litert(path: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    serve = Interpreter(str(path)).get_signature_runner()
    return lambda pixels: [*serve(**{INPUT: pixels}).values()]


def _image(network: keras.Model) -> Any:
    import tensorflow as tf

    shape = (None, *network.input_shape[1:])
    return tf.TensorSpec(shape, network.inputs[0].dtype, INPUT)


FORMATS = {
    "saved_model": Format(
        "tensorflow", math.inf, _write_saved_model, _load_saved_model
    ),
    "onnx": Format("onnxruntime", 2**31, write_onnx, load_onnx),
    "openvino": Format(
        "openvino",
        2**31,
        write_onnx,
        lambda path: load_openvino(path / OPENVINO_MODEL if path.is_dir() else path),
        openvino_of_onnx,
    ),
    "litert": Format("ai_edge_litert", 2**31, _write_litert, _load_litert),
}
