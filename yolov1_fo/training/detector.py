"""train(samples, ...) -> TrainResult: from a FiftyOne view to a checkpoint."""

import os
from collections.abc import Sequence
from typing import Any

import keras

from yolov1_fo import hardware
from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.training import augmentation_layer, loop
from yolov1_fo.training import plan as planning
from yolov1_fo.training.callbacks import check_callbacks
from yolov1_fo.training.loop import OnEpoch, OnStep
from yolov1_fo.training.result import TrainResult
from yolov1_fo.training.shown_log import shown_log
from yolov1_fo.training.tasks import DETECT


@connection.one_line_errors()
def train(
    samples: fo_samples.Samples,
    gt_field: str = planning.FIELD,
    val_samples: fo_samples.Samples | None = None,
    network: str | None = None,
    run_key: str | None = None,
    *,
    resume: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    recipe: str | None = None,
    max_minutes: float | None = None,
    classes: Sequence[str] | None = None,
    runs_dir: str | os.PathLike[str] | None = None,
    on_epoch: OnEpoch | None = None,
    on_step: OnStep | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    augmentation: augmentation_layer.Layers | None = None,
    progress: bool = True,
    device: int | str | None = None,
    devices: int | None = None,
    **settings: Any,
) -> TrainResult:
    """Trains a YOLOv1 on a FiftyOne dataset or view; nothing is exported.

    Settings that are not given come from the network's recipe, which
    `print(TrainConfig.for_network(network))` shows; some of these are chosen for the
    images and the machine, and logged.

    The training is a run of the dataset: `dataset.list_runs(method="yolov1/train")`.
    Files that are missing, truncated or not images are skipped and reported.

    `resume` continues a training that was killed, stopped or failed after its last
    complete epoch. Given the same samples, it ends with the same weights, on the same
    machine, as without the interruption.

    Args:
        samples: the training split
        gt_field ("ground_truth"): its field of Detections
        val_samples (None): the validation split, for the mAP after each epoch; without
            it, `yolov1_fo.split` holds out a tenth of the samples, or `val_fraction`
        network ("yolov1-efficientnet-lite0"): a name in `architectures.NETWORKS`
        run_key (None): name of the run on the dataset; generated if None
        resume (None): key or folder of a run to resume, with the settings of that run
        weights (None): what to start from: the key or folder of a run of `train` or
            `pretrain`, a checkpoint folder, the name of a published or included model,
            or a `.weights` file of Darknet. A detector must have the same layers; its
            channels are copied by class name, and the settings of its network are used
            unless others are given
        recipe (None): `paper` for the settings of the paper to the letter; another name
            in `config.recipes.RECIPES`; by default the network's own
        max_minutes (None): fits the training to this time, from this call to the last
            checkpoint
        classes (None): names in the order of their ids; by default the dataset's
            classes for the field, its default classes, or the labels found
        runs_dir (None): folder for runs instead of FiftyOne's folder for datasets
        on_epoch (None): called with the epoch, counted from 1, and its metrics
        on_step (None): called with epoch, epochs, step and steps, counted from 1
        callbacks (None): Keras callbacks, called in the first process; at the end of an
            epoch the logs hold the validation's metrics. `model` is the training step,
            `model.network` the network. A training that a callback stops is finished.
            They are given again to `resume`
        augmentation (None): a Keras layer, or a list of layers, that transforms
            `{"images": (N, H, W, 3) float32 in [0, 255], "bounding_boxes": {"boxes":
            (N, M, 4), "labels": (N, M)}}` before the augmentation of the settings, on
            the device; the boxes have its `bounding_box_format`, `xyxy` by default.
            `resume` needs the same
        progress (True): shows a progress line, without a terminal a line per epoch, and
            the log
        device (None): number of the GPU to train on, or a name such as `cpu`; by
            default the backend's first
        devices (None): number of accelerators that share each batch; 0 and None use
            one; the losses do not depend on it
        **settings: fields of `TrainConfig`

    Raises:
        TypeError: if a callback or a layer is not one of Keras, or can't be used
        ValueError: if the samples, the field, a class or a setting does not fit
        FileNotFoundError: if the weights, or files of a run to resume, are missing
        OSError: if the disk is full, or a checkpoint can't be written
        FloatingPointError: if the loss is not finite

    Source: paper section 2.2
    """
    named = {"recipe": recipe, "max_minutes": max_minutes}
    settings |= {name: value for name, value in named.items() if value is not None}
    user_callbacks = check_callbacks(callbacks)
    layers = augmentation_layer.check_layers(augmentation)
    with shown_log(progress), hardware.on_device(device, devices):
        plan = planning.make(
            *(DETECT, samples, gt_field, val_samples, network),
            resume=resume,
            run_key=run_key,
            classes=classes,
            runs_dir=runs_dir,
            weights=weights,
            settings=settings,
        )
        return loop.run(
            *(plan._replace(augmentation=layers), on_epoch, on_step),
            progress=progress,
            devices=devices,
            user_callbacks=user_callbacks,
        )
