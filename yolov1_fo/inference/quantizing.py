"""Exports that compute in 8 bits: ONNX Runtime's static quantization."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from yolov1_fo import files
from yolov1_fo.boxes import Array

KINDS = ("Conv", "Clip", "LeakyRelu", "Add", "MaxPool", "MatMul", "Gemm")
"""Operations that are quantized. The others are cheap, or need the precision."""
_LINEAR = ("Conv", "MatMul", "Gemm")


def quantize(path: Path, batches: Iterable[Array]) -> None:
    """Replaces an ONNX file by one that computes in 8 bits.

    Weights and activations are signed integers with a scale per output channel and per
    tensor; the scales are chosen from the largest values that occur. The last
    convolutions, whose outputs are scores and boxes, and what follows stay float32.

    Args:
        path: of the file
        batches: (N, H, W, 3) float32 RGB in [0, 1], images like those it will be used
            for
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        """Hands the batches to ONNX Runtime, one by one."""

        def __init__(self) -> None:
            self.batches: Iterator[Array] = iter(batches)

        def get_next(self) -> dict[str, Array] | None:
            """Returns the next batch by the name of its input; None at the end."""
            batch = next(self.batches, None)
            return None if batch is None else {"image": batch}

    prepared = path.with_name(f"{path.name}-prepared.onnx")
    quantized = path.with_name(f"{path.name}-quantized.onnx")
    try:
        quant_pre_process(path, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared,
            quantized,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            op_types_to_quantize=[*KINDS],
            nodes_to_exclude=_after_the_last_convolution(prepared),
        )
        quantized.replace(path)
    finally:
        for unfinished in (prepared, quantized):
            files.remove(unfinished)


def _after_the_last_convolution(path: Path) -> list[str]:
    """Returns the names of the nodes from which no further convolution is reached."""
    import onnx

    needed: set[str] = set()  # values that a later convolution depends on
    excluded = []
    for node in reversed(onnx.load(path).graph.node):  # sorted topologically
        is_needed = not needed.isdisjoint(node.output)
        if not is_needed:
            excluded.append(node.name)
        if is_needed or node.op_type in _LINEAR:
            needed.update(node.input)
    return excluded
