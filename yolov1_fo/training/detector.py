"""train(samples, ...) -> TrainResult: from a FiftyOne view to a checkpoint."""

import os
from collections.abc import Sequence
from typing import Any

from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.training import loop
from yolov1_fo.training import plan as planning
from yolov1_fo.training.loop import OnEpoch, OnStep
from yolov1_fo.training.result import TrainResult
from yolov1_fo.training.tasks import DETECT


@connection.one_line_errors()
def train(
    samples: fo_samples.Samples,
    gt_field: str = planning.FIELD,
    val_samples: fo_samples.Samples | None = None,
    network: str = TrainConfig.network,
    run_key: str | None = None,
    *,
    resume: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    classes: Sequence[str] | None = None,
    runs_dir: str | os.PathLike[str] | None = None,
    on_epoch: OnEpoch | None = None,
    on_step: OnStep | None = None,
    progress: bool = True,
    devices: int | None = None,
    **settings: Any,
) -> TrainResult:
    """Trains a YOLOv1 on a FiftyOne dataset or view; nothing is exported.

    The training is a run of the dataset: `dataset.list_runs(method="yolov1/train")`.
    Files that are missing, truncated or not images are skipped and reported.

    `resume` continues a training that was killed, stopped or failed after its last
    complete epoch. Given the same samples, it ends with the same weights, on the same
    machine, as without the interruption.

    Args:
        samples: the training split
        gt_field ("ground_truth"): its field of Detections
        val_samples (None): the validation split, for the mAP after each epoch; without
            it the best checkpoint is that with the lowest training loss
        network ("yolov1"): a name in `architectures.NETWORKS`
        run_key (None): name of the run on the dataset; generated if None
        resume (None): key or folder of a run to resume, with the settings of that run
        weights (None): a classifier to start from: key or folder of a run of
            `pretrain`, or a `.weights` file of Darknet
        classes (None): names in the order of their ids; by default the dataset's
            classes for the field, its default classes, or the labels found
        runs_dir (None): folder for runs instead of FiftyOne's folder for datasets
        on_epoch (None): called with the epoch, counted from 1, and its metrics
        on_step (None): called with epoch, epochs, step and steps, counted from 1
        progress (True): shows a progress line; without a terminal, a line per epoch
        devices (None): number of accelerators that share each batch; 0 and None use
            one; the losses do not depend on it
        **settings: fields of `TrainConfig`

    Raises:
        ValueError: if the samples, the field, a class or a setting does not fit
        FileNotFoundError: if the weights, or files of a run to resume, are missing
        OSError: if the disk is full, or a checkpoint can't be written
        FloatingPointError: if the loss is not finite

    Source: paper section 2.2
    """
    plan = planning.make(
        *(DETECT, samples, gt_field, val_samples, network),
        resume=resume,
        run_key=run_key,
        classes=classes,
        runs_dir=runs_dir,
        weights=weights,
        settings=settings,
    )
    return loop.run(plan, on_epoch, on_step, progress=progress, devices=devices)
