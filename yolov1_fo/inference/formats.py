"""The formats of an export: how each is written and run, in packages of others."""

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from yolov1_fo.boxes import Array
from yolov1_fo.networks import terminal

INPUT = "image"
"""What the network's input is called in every format."""

Run = Callable[[Array], Array]
"""Pixels to the raw output."""

_LARGE = 2**16
"""Numbers from which on a weight goes round the conversion to ONNX."""


class Format(NamedTuple):
    """How a format is written and run.

    Attributes:
        writers: packages that write it, beside TensorFlow
        runtime: package that runs it
        most: bytes that it can hold
        write: puts a network at a path
        load: gives what runs the export at a path
    """

    writers: tuple[str, ...]
    runtime: str
    most: float
    write: Callable[[keras.Model, Path], None]
    load: Callable[[Path], Run]


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Keeps off the terminal what the packages of a format say while they work.

    Some write to the process's standard error; others give the root logger a handler,
    by which our own lines would come twice from then on.
    """
    handlers, level = [*logging.root.handlers], logging.root.level
    try:
        with terminal.unheard():
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
    return lambda pixels: module.serve(pixels).numpy()


def _write_onnx(network: keras.Model, path: Path) -> None:
    """Converts the network with its large weights as inputs, then makes them weights.

    The converter copies constants dozens of times: the paper's network would take 60 GB
    of memory.
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    # 1. The network without its large weights.
    large = [w for w in network.weights if math.prod(w.shape) >= _LARGE]
    names = [f"weight_{number}" for number in range(len(large))]

    def serve(image: Array, *weights: Array) -> dict[str, Array]:
        pairs = list(zip(large, weights, strict=True))
        with keras.StatelessScope(state_mapping=pairs):
            return {"output": network(image, training=False)}

    signature = [_image(network)]
    for weight, name in zip(large, names, strict=True):
        signature.append(tf.TensorSpec(weight.shape, weight.dtype, name))
    function = tf.function(serve, autograph=False)
    model, _ = tf2onnx.convert.from_function(function, signature)

    # 2. Channels come first in ONNX: what it turns, it gets turned.
    graph = model.graph
    values = dict(zip(names, map(ops.convert_to_numpy, large), strict=True))
    for node in [n for n in graph.node if n.op_type == "Transpose"]:
        if node.input[0] in values:
            order = onnx.helper.get_node_attr_value(node, "perm")
            values[node.output[0]] = values[node.input[0]].transpose(order)
            graph.node.remove(node)

    # 3. Inputs become weights.
    used = {name for node in graph.node for name in node.input}
    for name in [name for name in values if name in used]:
        array = np.ascontiguousarray(values.pop(name))
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    for given in [given for given in graph.input if given.name != INPUT]:
        graph.input.remove(given)
    onnx.save(model, path)


def _load_onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(None, {INPUT: pixels})[0]


def _write_litert(network: keras.Model, path: Path) -> None:
    import tensorflow as tf

    saved = path.with_name(f"{path.name}-saved_model")
    _write_saved_model(network, saved)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    path.write_bytes(converter.convert())


def _load_litert(path: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    serve = Interpreter(str(path)).get_signature_runner()
    return lambda pixels: next(iter(serve(**{INPUT: pixels}).values()))


def _image(network: keras.Model) -> Any:
    import tensorflow as tf

    return tf.TensorSpec((None, *network.input_shape[1:]), "float32", INPUT)


FORMATS = {
    "saved_model": Format(
        (), "tensorflow", math.inf, _write_saved_model, _load_saved_model
    ),
    "onnx": Format(("tf2onnx", "onnx"), "onnxruntime", 2**31, _write_onnx, _load_onnx),
    "litert": Format((), "ai_edge_litert", 2**31, _write_litert, _load_litert),
}
