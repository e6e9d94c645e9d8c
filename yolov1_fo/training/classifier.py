"""pretrain(samples, ...) -> TrainResult: the classifier that a detector starts from."""

import os
from collections.abc import Sequence
from typing import Any

import keras

from yolov1_fo import hardware
from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.training import loop
from yolov1_fo.training import plan as planning
from yolov1_fo.training.callbacks import check_callbacks
from yolov1_fo.training.loop import OnEpoch, OnStep
from yolov1_fo.training.result import TrainResult
from yolov1_fo.training.shown_log import shown_log
from yolov1_fo.training.tasks import CLASSIFY


@connection.one_line_errors()
def pretrain(
    samples: fo_samples.Samples,
    label_field: str = planning.FIELD,
    val_samples: fo_samples.Samples | None = None,
    network: str | None = None,
    run_key: str | None = None,
    *,
    resume: str | os.PathLike[str] | None = None,
    classes: Sequence[str] | None = None,
    runs_dir: str | os.PathLike[str] | None = None,
    on_epoch: OnEpoch | None = None,
    on_step: OnStep | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    progress: bool = True,
    device: int | str | None = None,
    devices: int | None = None,
    **settings: Any,
) -> TrainResult:
    """Trains the classifier whose convolutions a detector can start from.

    It is the paper's first 20 convolutions, or those that the network shares with a
    classifier, then average pooling and one connected layer. Pass its run key to
    `train(..., weights=)`.

    Args:
        samples: the training split
        label_field ("ground_truth"): its field of Classification or Classifications;
            several labels of an image share its probability equally
        val_samples (None): the validation split, for top-1 and top-5 accuracy after
            each epoch; without it a part is held out, as in `train`
        network ("yolov1"): a name in `architectures.NETWORKS`, without a backbone
        run_key (None): as in `train`, like all arguments that follow
        resume (None): key or folder of a run of `pretrain`
        classes (None): names in the order of their ids
        runs_dir (None): folder for runs
        on_epoch (None): called after each epoch
        on_step (None): called after each step
        callbacks (None): Keras callbacks
        progress (True): shows a progress line, without a terminal a line per epoch, and
            the log
        device (None): number of the GPU to train on, or a name such as `cpu`
        devices (None): number of accelerators that share each batch
        **settings: fields of `TrainConfig`; `image_size` is 224 by default, the others
            come from the network's recipe; those of the grid and the detection loss
            have no effect

    Raises:
        TypeError: if a callback is not one of Keras
        ValueError: if the samples, the field, a class or a setting does not fit
        FileNotFoundError: if files of a run to resume are missing
        OSError: if the disk is full, or a checkpoint can't be written
        FloatingPointError: if the loss is not finite

    Source: paper section 2.2
    """
    user_callbacks = check_callbacks(callbacks)
    with shown_log(progress), hardware.on_device(device, devices):
        plan = planning.make(
            *(CLASSIFY, samples, label_field, val_samples, network),
            resume=resume,
            run_key=run_key,
            classes=classes,
            runs_dir=runs_dir,
            settings=settings,
        )
        return loop.run(
            *(plan, on_epoch, on_step),
            progress=progress,
            devices=devices,
            user_callbacks=user_callbacks,
        )
