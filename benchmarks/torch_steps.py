"""Speed of a training step of the transfer network, compared with PyTorch.

Both train the same network with Adam; the layers up to stride 8 are frozen. This
library's step includes augmentation, targets, the loss and moving averages; PyTorch's
gets images in the layout that it needs, and uses the mean squared error.

    python -m benchmarks.torch_steps LIBRARY PHOTOGRAPHS IMAGE_SIZE BATCH
"""

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import measuring, processes, tutorial
from benchmarks.coco import read_coco
from benchmarks.measuring import Figure
from benchmarks.processes import MeasuredProcess
from yolov1_fo import allocator
from yolov1_fo.config import TrainConfig
from yolov1_fo.pipeline import batches, image_cache, shuffling
from yolov1_fo.training.learner import Learner
from yolov1_fo.training.learner_builder import uncompiled

NETWORK = "yolov1-efficientnet-lite0"
STRIDE = 16
"""Of the features, with one cell each."""
OURS, TORCH = "yolov1_fo", "PyTorch"
CASES = ((256, 4), (320, 8))
"""Side of the images in pixels, and their number per step."""
DECISIVE = (320, 8)
TARGETS = {"float32": 0.9, "bfloat16": 1.0}
IMAGES, STEPS = 64, 8


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields milliseconds per image of a training step, and ratios."""
    if not importlib.util.find_spec("torch"):
        yield Figure("training step of PyTorch", float("nan"), note="torch is missing")
        return
    for image_size, batch in [(64, 2)] if quick else CASES:
        for precision in TARGETS:
            names = [f"{library} {precision}" for library in (OURS, TORCH)]
            with contextlib.ExitStack() as stack:
                started = {
                    name: stack.enter_context(
                        MeasuredProcess(
                            "benchmarks.torch_steps",
                            name,
                            photographs,
                            image_size,
                            batch,
                        )
                    )
                    for name in names
                }
                times = processes.alternate_processes(started, 2 if quick else 9)
            what = f"training step of {NETWORK}, {image_size} px, batch {batch}"
            for name, seconds in times.items():
                each = 1e3 * seconds / (STEPS * batch)
                yield measuring.figure(f"{what}, {name}", each, "ms per image")
            ours, theirs = times.values()
            yield measuring.figure(
                f"{what}, {precision}, time of {OURS} / {TORCH}",
                ours / theirs,
                target=TARGETS[precision] if (image_size, batch) == DECISIVE else None,
                at_most=True,
            )


def with_ours(learner: Learner, photographs: Path, batch: int) -> Callable[[], float]:
    """Returns a function that trains a few steps, and returns the seconds."""
    split = read_coco(photographs / "highway" / "train")
    listing = split.listing.take(range(IMAGES))
    pixels = image_cache.load(listing.filepaths, learner.config.image_size).pixels
    made = batches.HostBatches(
        *(pixels, listing.objects),
        batch_size=batch,
        seed=0,
        width=listing.objects.max_per_image(),
    )
    learner.accelerate()
    fed = made.endless()
    return lambda: tutorial.steps(learner, fed, steps_per_epoch=STEPS, shuffle=False)


def with_torch(learner: Learner, batch: int, precision: str) -> Callable[[], None]:
    """Returns a function that trains a few steps of the same network."""
    import torch

    from benchmarks.torch_networks import Graph

    graph = Graph(learner.network).to(memory_format=torch.channels_last).train()
    side = learner.config.image_size
    images = torch.rand((batch, 3, side, side)).to(memory_format=torch.channels_last)
    target = torch.rand((batch, learner.network.output_shape[-1]))
    weights = [one for one in graph.parameters() if one.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=1e-5, fused=True)
    is_half = precision != "float32"

    def train() -> None:
        for _ in range(STEPS):
            with torch.autocast("cpu", torch.bfloat16, enabled=is_half):
                output = graph(images)
            loss = torch.nn.functional.mse_loss(output.float(), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return train


def main() -> None:
    name, photographs, image_size, batch = sys.argv[1:]
    library, precision = name.split()
    is_ours = library == OURS
    config = replace(
        TrainConfig.for_network(NETWORK),
        image_size=int(image_size),
        S=int(image_size) // STRIDE,
        C=5,
        batch_size=int(batch),
        precision="float32" if precision == "float32" else "mixed_bfloat16",
    )
    learner = uncompiled(config if is_ours else replace(config, precision="float32"))
    learner.prepare(shuffling.steps_per_epoch(IMAGES, config.batch_size))
    if is_ours:
        with allocator.keep_freed_memory():  # as during a training
            processes.serve(with_ours(learner, Path(photographs), config.batch_size))
    else:
        processes.serve(with_torch(learner, config.batch_size, precision))


if __name__ == "__main__":
    main()
