"""Trains in a process of its own, on devices that share each batch."""

import json
import os
import sys

import keras

from yolov1_fo.training.learner_builder import build_learner


def main(arguments: dict) -> None:
    import fiftyone as fo

    import yolov1_fo
    from tests.micro import MICRO
    from yolov1_fo.architectures import NETWORKS

    NETWORKS["micro"] = MICRO
    dataset = fo.load_dataset(arguments["dataset"])
    for settings in arguments["trainings"]:
        deed, tag = settings.pop("deed", None), settings.pop("tag", "train")
        layer, stop_at = settings.pop("layer", None), settings.pop("stop_at", None)
        try:
            run = yolov1_fo.train(
                dataset.match_tags(tag),
                val_samples=dataset.match_tags("val"),
                on_epoch=DEEDS.get(deed),
                augmentation=layer and getattr(keras.layers, layer)(),
                callbacks=None if stop_at is None else StopAt(stop_at),
                **settings,
            )
            said = {"history": run.history, "best": run.best, "run_key": run.run_key}
        except (ValueError, RuntimeError, FloatingPointError) as error:
            said = {"error": str(error)}
        except KeyboardInterrupt:
            said = {"error": "interrupted"}
        print("said", json.dumps(said), flush=True)
    if arguments.get("notice"):
        print("said", json.dumps(notice()), flush=True)


def fail(epoch: int, metrics: dict) -> None:
    raise ValueError("no more space")


def stop(epoch: int, metrics: dict) -> None:
    raise KeyboardInterrupt


def die(epoch: int, metrics: dict) -> None:
    os._exit(9)


class StopAt(keras.callbacks.Callback):
    """Stops in the first process, at the first step of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch, self.now = epoch, 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.now = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.now == self.epoch:
            self.model.stop_training = True


DEEDS = {"fail": fail, "stop": stop, "die": die}


def notice() -> list[int]:
    """Returns the first bad step after each step; the second is so in one replica."""
    import tensorflow as tf

    from yolov1_fo.config import TrainConfig
    from yolov1_fo.training.distribution import share

    config = TrainConfig(network="micro", image_size=32, S=2, C=2, batch_size=2)
    with share(2) as devices:
        learner = build_learner(config, 2, devices=devices)

        def step(loss: tf.Tensor) -> None:
            context = tf.distribute.get_replica_context()
            is_last = context.replica_id_in_sync_group == 1
            learner._count_step(tf.where(is_last, loss, 1.0))

        seen = []
        for loss in (1.0, float("nan"), 1.0, float("nan")):
            devices.strategy.run(step, args=(tf.constant(loss),))
            seen.append(learner.first_bad_step)
    return seen


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
