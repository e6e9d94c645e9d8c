"""pretrain(samples, ...) -> TrainResult: the classifier that a detector starts from."""

import os
from collections.abc import Sequence
from typing import Any

from yolov1_fo.config import PRETRAIN_IMAGE_SIZE, TrainConfig
from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.training import loop
from yolov1_fo.training import plan as planning
from yolov1_fo.training.loop import OnEpoch, OnStep, TrainResult

LABEL_FIELD = "ground_truth"


@connection.answering()
def pretrain(
    samples: fo_samples.Samples,
    label_field: str = LABEL_FIELD,
    val_samples: fo_samples.Samples | None = None,
    network: str = TrainConfig.network,
    run_key: str | None = None,
    *,
    resume: str | os.PathLike[str] | None = None,
    classes: Sequence[str] | None = None,
    runs_dir: str | os.PathLike[str] | None = None,
    on_epoch: OnEpoch | None = None,
    on_step: OnStep | None = None,
    progress: bool = True,
    devices: int | None = None,
    **settings: Any,
) -> TrainResult:
    """Trains the first convolutions of a network to tell what an image shows.

    They are the paper's first 20, or what the network shares with a classifier; average
    pooling and one connected layer stand on them. `train(..., weights=run_key)` then
    starts from them. It is a run like those of `train`, and goes on with `resume`.

    Args:
        samples: the images to learn from
        label_field ("ground_truth"): their field of Classification or Classifications;
            of several labels on an image each should get an equal share
        val_samples (None): images to measure top-1 and top-5 accuracy on after each
            epoch; without them the best checkpoint is the one of the lowest loss
        network ("yolov1"): a name in `architectures.NETWORKS`, one without a backbone
        run_key (None): the run's name on the dataset; made up if None
        resume (None): key or folder of a run to go on with; its settings stay
        classes (None): names in the order of their ids; by default the field's classes
            on the dataset, its default classes, or the labels found
        runs_dir (None): where checkpoints go, instead of FiftyOne's folder for datasets
        on_epoch (None): is called with the epoch, counted from 1, and its metrics
        on_step (None): is called with the epoch, how many there are, the step in it,
            and how many of these there are, all counted from 1
        progress (True): shows a progress bar
        devices (None): accelerators that share each batch; 0 and None take one; the
            losses do not depend on it
        **settings: fields of `TrainConfig`; side is 224 unless given, and those of the
            grid and of the detection loss have no effect

    Raises:
        ValueError: if the samples, the field, a class or a setting does not fit
        FileNotFoundError: if a run to resume has lost a file
        OSError: if there is no space, or a checkpoint can't be written
        FloatingPointError: if the loss is not finite

    Source: paper section 2.2
    """
    if resume is None:
        plan = planning.new(
            samples,
            label_field,
            val_samples,
            run_key,
            runs_dir,
            classes,
            {"network": network, "image_size": PRETRAIN_IMAGE_SIZE, **settings},
            task=planning.CLASSIFY,
        )
    else:
        planning.check_bare(
            run_key=run_key,
            classes=classes,
            runs_dir=runs_dir,
            **settings,
            label_field=None if label_field == LABEL_FIELD else label_field,
            network=None if network == TrainConfig.network else network,
        )
        plan = planning.again(samples, val_samples, resume, task=planning.CLASSIFY)
    return loop.run(plan, on_epoch, on_step, progress=progress, devices=devices)
