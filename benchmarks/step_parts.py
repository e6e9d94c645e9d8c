"""What the time of a training step is spent on, compared with PyTorch.

    python -m benchmarks.step_parts --photographs FOLDER --json FILE

The steps are those of `torch_steps`. The times are those of operations: several run at
once, so that their sum exceeds the time of a step.
"""

import argparse
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks import measuring, torch_steps
from yolov1_fo import allocator
from yolov1_fo.config import TrainConfig
from yolov1_fo.pipeline import shuffling
from yolov1_fo.training.learner import Learner
from yolov1_fo.training.learner_builder import uncompiled

FORWARD, BACKWARD, NORM = "convolutions", "their gradients", "normalization"
ACTIVATIONS, UPDATE, OTHER = "activations", "optimizer", "other operations"
INPUT = "augmentation, targets and loss"
GROUPS = (FORWARD, BACKWARD, NORM, ACTIVATIONS, UPDATE, INPUT, OTHER)

OURS = (
    (UPDATE, r"^\S*adam/|Resource\w+$|Assign\w*VariableOp$"),
    (BACKWARD, r"Backprop(Filter|Input)$"),
    (NORM, r"BatchNorm\w*$"),
    (ACTIVATIONS, r"Relu6\w*$"),
    (FORWARD, r"(Conv2D\w*|DepthwiseConv2d\w*)$"),
    (INPUT, r"^\S*learner(?!\S*(efficientnet|gradient))"),
    (OTHER, r""),
)
"""Groups by what the path and type of an operation of TensorFlow match first."""
THEIRS = (
    (BACKWARD, r"^aten::convolution_backward$"),
    (FORWARD, r"convolution$|^aten::add_$"),
    (NORM, r"batch_norm"),
    (ACTIVATIONS, r"hardtanh|relu|clamp"),
    (UPDATE, r"adam|Optimizer"),
    (OTHER, r""),
)
"""Groups by what the name of an operation of PyTorch matches first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=torch_steps.DECISIVE[0])
    parser.add_argument("--batch", type=int, default=torch_steps.DECISIVE[1])
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    rows = [*measure(arguments.photographs, arguments.image_size, arguments.batch)]
    measuring.write(arguments.json, {"rows": rows})
    print(table(rows))


def table(rows: list[dict[str, Any]]) -> str:
    """Returns a line per group with the ms per image of each library."""
    lines = [
        {"ms per image": group}
        | {row["library"]: f"{row['ms'].get(group, 0.0):.1f}" for row in rows}
        for group in (*GROUPS, "sum")
    ]
    return tabulate(lines, headers="keys", tablefmt="github", disable_numparse=True)


def measure(photographs: Path, image_size: int, batch: int) -> Iterator[dict[str, Any]]:
    """Yields the ms per image of each group of operations, by library."""
    config = replace(
        TrainConfig.for_network(torch_steps.NETWORK),
        image_size=image_size,
        S=image_size // torch_steps.STRIDE,
        C=5,
        batch_size=batch,
        precision="float32",
    )
    profiles: dict[str, Callable[[Learner], Counter[str]]] = {
        torch_steps.OURS: lambda learner: _profile_ours(learner, photographs, batch),
        torch_steps.TORCH: lambda learner: _profile_theirs(learner, batch),
    }
    for library, profile in profiles.items():
        learner = uncompiled(config)
        learner.prepare(shuffling.steps_per_epoch(torch_steps.IMAGES, batch))
        images = torch_steps.STEPS * batch
        parts = {name: ms / images for name, ms in profile(learner).items()}
        parts["sum"] = sum(parts.values())
        yield {"library": library, "image_size": image_size, "batch": batch} | {
            "ms": parts
        }


def _profile_ours(learner: Learner, photographs: Path, batch: int) -> Counter[str]:
    """Returns the milliseconds of TensorFlow's operations, by group."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with allocator.keep_freed_memory(), tempfile.TemporaryDirectory() as folder:
        run = torch_steps.with_ours(learner, photographs, batch)
        run()
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2)
        tf.profiler.experimental.start(folder, options=options)
        run()
        tf.profiler.experimental.stop()
        space = xplane_pb2.XSpace()
        [file] = Path(folder).rglob("*.xplane.pb")
        space.ParseFromString(file.read_bytes())
    found: Counter[str] = Counter()
    for plane in space.planes:
        names = {key: one.name for key, one in plane.event_metadata.items()}
        for event in (one for line in plane.lines for one in line.events):
            if names[event.metadata_id].startswith("StatefulPartitionedCall/"):
                path = names[event.metadata_id].replace("/gradient_tape/", "/gradient_")
                found[_group(path, OURS)] += event.duration_ps / 1e9
    return found


def _profile_theirs(learner: Learner, batch: int) -> Counter[str]:
    """Returns the milliseconds of PyTorch's operations, by group."""
    from torch.profiler import ProfilerActivity, profile

    run = torch_steps.with_torch(learner, batch, "float32")
    run()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        run()
    found: Counter[str] = Counter()
    for event in profiled.key_averages():
        found[_group(event.key, THEIRS)] += event.self_cpu_time_total / 1e3
    return found


def _group(name: str, patterns: tuple[tuple[str, str], ...]) -> str:
    return next(group for group, pattern in patterns if re.search(pattern, name))


if __name__ == "__main__":
    main()
