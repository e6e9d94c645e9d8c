"""train(samples, ...) -> TrainResult: from a FiftyOne view to a checkpoint."""

import os
from collections.abc import Sequence
from typing import Any

from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.training import loop
from yolov1_fo.training import plan as planning
from yolov1_fo.training.loop import OnEpoch, OnStep, TrainResult

GT_FIELD = "ground_truth"


@connection.answering()
def train(
    samples: fo_samples.Samples,
    gt_field: str = GT_FIELD,
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

    The training is a run on the dataset: `dataset.list_runs(method="yolov1/train")`.
    Images that are missing, cut or can't be decoded are skipped and named.

    A training that was killed, stopped or failed goes on after its last whole epoch
    with `resume`, and ends as if it had never stopped: the same weights on the same
    machine, given the same samples.

    Args:
        samples: the images to learn from
        gt_field ("ground_truth"): their field of Detections
        val_samples (None): images to measure mAP on after each epoch; without them the
            best checkpoint is the one of the lowest training loss
        network ("yolov1"): a name in `architectures.NETWORKS`
        run_key (None): the run's name on the dataset; made up if None
        resume (None): key or folder of a run to go on with; its settings stay
        weights (None): a classifier to start from: a run of `pretrain`, by its key or
            folder, or a `.weights` file of Darknet
        classes (None): names in the order of their ids; by default the field's classes
            on the dataset, its default classes, or the labels found
        runs_dir (None): where checkpoints go, instead of FiftyOne's folder for datasets
        on_epoch (None): is called with the epoch, counted from 1, and its metrics
        on_step (None): is called with the epoch, how many there are, the step in it,
            and how many of these there are, all counted from 1
        progress (True): shows a progress bar
        devices (None): accelerators that share each batch; 0 and None take one; the
            losses do not depend on it
        **settings: fields of `TrainConfig`

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
            gt_field,
            val_samples,
            run_key,
            runs_dir,
            classes,
            {"network": network, **settings},
            weights=weights,
        )
    else:
        planning.check_bare(
            run_key=run_key,
            classes=classes,
            runs_dir=runs_dir,
            weights=weights,
            **settings,
            gt_field=None if gt_field == GT_FIELD else gt_field,
            network=None if network == TrainConfig.network else network,
        )
        plan = planning.again(samples, val_samples, resume)
    return loop.run(plan, on_epoch, on_step, progress=progress, devices=devices)
