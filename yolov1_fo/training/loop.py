"""A planned training, run to its end: feed, learner, the run on the dataset."""

import contextlib
import gc
import logging
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from yolov1_fo import images
from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import connection, database, error_lines
from yolov1_fo.networks import build, darknet_weights
from yolov1_fo.networks.keras_settings import quiet_tracing
from yolov1_fo.runs import checkpoint, registry
from yolov1_fo.runs import history as log
from yolov1_fo.training import callbacks, coordination
from yolov1_fo.training import learner as learners
from yolov1_fo.training import plan as planning
from yolov1_fo.training import resume as resuming
from yolov1_fo.training.distribution import ONE, Devices, share
from yolov1_fo.training.input_pipeline import Feed
from yolov1_fo.training.learner import Learner

logger = logging.getLogger(__name__)

OnEpoch = Callable[[int, dict[str, float]], None]
OnStep = Callable[[int, int, int, int], None]


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        checkpoint_dir: the folder of the best checkpoint
        run_key: the run's name on the dataset
        history: a list of numbers, one an epoch, under each name; None where an epoch
            has none
        best: epoch and metrics of the best checkpoint
        skipped: image files that were left out, and why
    """

    checkpoint_dir: str
    run_key: str
    history: dict[str, list[float | None]]
    best: dict[str, float]
    skipped: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        scores = [
            f" with {name} {self.best[key]:.3f}"
            for key, name in callbacks.SCORES.items()
            if key in self.best
        ]
        parts = [
            f"run '{self.run_key}': {len(self.history['loss'])} epochs",
            f"best at epoch {self.best['epoch']:.0f}" + "".join(scores),
            f"checkpoint {self.checkpoint_dir}",
        ]
        if self.skipped:
            parts.append(f"{len(self.skipped)} images skipped")
        return ", ".join(parts)


def run(
    plan: planning.Plan,
    on_epoch: OnEpoch | None = None,
    on_step: OnStep | None = None,
    *,
    progress: bool = True,
    devices: int | None = None,
) -> TrainResult:
    """Trains what was planned, as a run on the dataset, which the first worker writes.

    Args:
        plan: from `plan.new` or `plan.again`
        on_epoch (None): is called with the epoch, counted from 1, and its metrics
        on_step (None): is called with the epoch, how many there are, the step in it,
            and how many of these there are, all counted from 1
        progress (True): shows a progress bar
        devices (None): how many share each batch; 0 and None take one

    Raises:
        ValueError: if too few images can be read, the weights do not fit, or the
            devices can't share a batch
        FileNotFoundError: if a run to resume has lost a file
        OSError: if there is no space, or a checkpoint can't be written
        FloatingPointError: if the loss is not finite
    """
    try:
        with share(devices) as shared, quiet_tracing():
            return _run(plan, on_epoch, on_step, shared, show=progress)
    finally:
        gc.collect()  # Keras' models stand in circles that keep their memory


def _run(
    plan: planning.Plan,
    on_epoch: OnEpoch | None,
    on_step: OnStep | None,
    devices: Devices,
    *,
    show: bool,
) -> TrainResult:
    devices.check(plan.config)
    if devices.processes > 1:  # each may have made up a name
        key, folder = map(devices.from_first, (plan.run_key, str(plan.folder)))
        plan = plan._replace(run_key=key, folder=Path(folder))
    tools = _Tools(plan, devices)
    if devices.is_first:
        done = _lead(plan, tools, on_epoch, on_step, show=show)
    else:
        done = _follow(plan, tools)
    skipped = tools.feed.skipped
    for path, fault in skipped.items():
        logger.warning("skipped: %s", images.told(path, fault))
    checkpoint_dir = plan.folder / checkpoint.epoch_name(done.best["epoch"])
    return TrainResult(
        str(checkpoint_dir), plan.run_key, done.history, done.best, dict(skipped)
    )


class _Tools:
    """What feeds and what learns: nobody else holds them, for they may be made anew.

    Args:
        plan: of the training
        devices: that share each batch
    """

    def __init__(self, plan: planning.Plan, devices: Devices) -> None:
        self.devices = devices
        self._make(plan)

    def make_anew(self, plan: planning.Plan) -> None:
        """Makes them for another plan; the memory of the old ones is free by then."""
        del self.feed, self.learner
        gc.collect()
        self._make(plan)

    def _make(self, plan: planning.Plan) -> None:
        self.feed = Feed(
            plan.config,
            plan.listing,
            plan.validation if self.devices.is_first else None,
            registry.pixels(plan.folder),
            classifies=plan.task == planning.CLASSIFY,
            devices=self.devices,
        )
        self.learner = build_learner(
            plan.config,
            self.feed.steps,
            task=plan.task,
            weights=plan.weights,
            devices=self.devices,
        )


def build_learner(
    config: TrainConfig,
    steps_per_epoch: int,
    *,
    task: str = planning.DETECT,
    weights: Path | None = None,
    devices: Devices = ONE,
) -> Learner:
    """Returns a compiled `Learner` around a new network.

    Args:
        config: of the training
        steps_per_epoch: for the schedule
        task (detect): or classify
        weights (None): a classifier that gives the first convolutions: a checkpoint's
            folder, or a `.weights` file of Darknet's
        devices (one): that share each batch

    Raises:
        ValueError: if the weights do not fit
    """
    if 0 < config.freeze_epochs < config.epochs and keras.backend.backend() == "jax":
        raise ValueError("freeze_epochs needs the TensorFlow backend, got jax")
    classifies = task == planning.CLASSIFY
    with devices.scope():
        learner = learners.make(
            config, classifies=classifies, replicas=devices.replicas
        )
        if weights is not None:
            _start_from(weights, learner.network, config)
        learner.prepare(steps_per_epoch)
    return learner


def _start_from(weights: Path, network: keras.Model, config: TrainConfig) -> None:
    if weights.is_file():
        try:
            darknet_weights.read(weights, network, partial=True)
        except ValueError as error:
            read_as = f"{config.network} with batch_norm={config.batch_norm}"
            raise ValueError(f"{error}; it was read as {read_as}") from None
        return
    classifier = build.load(weights / checkpoint.NETWORK)
    try:
        build.take_backbone(classifier, network)
    except ValueError as error:
        raise ValueError(f"weights '{weights}' does not fit: {error}") from None


def _lead(
    plan: planning.Plan,
    tools: _Tools,
    on_epoch: OnEpoch | None,
    on_step: OnStep | None,
    *,
    show: bool,
) -> resuming.Progress:
    """Trains, as a run on the dataset."""
    with contextlib.ExitStack() as held:
        with coordination.beginning(tools.devices):
            info = planning.describe(plan, tools.feed)
            if plan.resumes:
                planning.check_same(plan, info)
            _check_space(plan, tools.learner)
            held.enter_context(_run_of(plan, info))
        done = _fit_what_fits(plan, tools, info, on_epoch, on_step, show=show)
        registry.update(plan.dataset, plan.run_key, skipped=len(tools.feed.skipped))
    checkpoint.forget_state(plan.folder / checkpoint.epoch_name(done.epoch))
    return done


def _follow(plan: planning.Plan, tools: _Tools) -> resuming.Progress:
    """Takes part in the steps of a run that the first worker writes."""
    feed, learner = tools.feed, tools.learner
    coordination.hear(feed.devices)
    progress = _progress(plan, feed, learner)
    if not callbacks.is_over(progress, plan.config):
        after = [
            callbacks.StopOnNaN(plan.config, feed.listing.filepaths),
            coordination.Follow(feed.devices, plan.config, progress),
        ]
        _learn(feed, learner, progress.epoch, after, verbose=0)
    return progress


def _check_space(plan: planning.Plan, learner: Learner) -> None:
    network = _bytes(learner.network.variables)
    state = _bytes(resuming.variables(learner).values())
    registry.check_space(plan.folder, 3 * network + 2 * state)


def _bytes(variables: Iterable[Any]) -> int:
    return sum(math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in variables)


@contextlib.contextmanager
def _run_of(plan: planning.Plan, info: dict[str, Any]) -> Iterator[None]:
    """Keeps the run locked while it is trained, and its status.

    What was checked for the plan is checked again: another process may have begun,
    finished or deleted the run until it was locked.
    """
    dataset, run_key, folder = plan.dataset, plan.run_key, plan.folder
    with registry.locked(folder, run_key):
        if plan.resumes:
            planning.check_unchanged(plan)
            registry.restart(dataset, run_key)
        else:
            registry.register(dataset, run_key, **info)
            logger.info("run '%s', in %s", run_key, folder)
        try:
            yield
        except KeyboardInterrupt as error:
            _mark(plan, status="stopped")
            line = _stopped(plan)
            error.add_note(line)
            raise
        except BaseException as error:
            line = error_lines.line(error) or database.line(error)
            _mark(plan, status="failed", error=line)
            raise
        registry.update(dataset, run_key, status="finished")


def _stopped(plan: planning.Plan) -> str:
    """Returns what to say of a run that somebody stops."""
    key, epochs = plan.run_key, plan.config.epochs
    last = checkpoint.pointed(plan.folder, "last")
    done = int(last.name.removeprefix("epoch_")) if last else 0
    return (
        f"run '{key}' was stopped after epoch {done} of {epochs}; go on with "
        f"resume='{key}', on the command line --resume {key}"
    )


def _mark(plan: planning.Plan, **known: Any) -> None:
    """Says on the dataset how a run ended, unless the database is why it did."""
    try:
        with connection.brief():
            registry.update(plan.dataset, plan.run_key, **known)
    except Exception as error:  # the one that ended the run must come through
        said = connection.line(error) or database.line(error)
        logger.warning("run '%s' can't be marked as it ended: %s", plan.run_key, said)


def _fit_what_fits(
    plan: planning.Plan,
    tools: _Tools,
    info: dict[str, Any],
    *arguments: Any,
    show: bool,
) -> resuming.Progress:
    """Fits; what does not fit into memory is tried again with less."""
    while True:
        try:
            return _fit(plan, tools.feed, tools.learner, info, *arguments, show=show)
        except Exception as error:
            if not error_lines.is_out_of_memory(error):
                raise
            smaller = planning.smaller(plan, tools.feed.mode, tools.devices)
            if smaller is None:
                raise
        plan = smaller  # here, where the error with its frames is gone
        tools.make_anew(plan)
        info = planning.describe(plan, tools.feed)
        changed = {name: info[name] for name in ("settings", "data")}
        registry.update(plan.dataset, plan.run_key, **changed)


def _fit(
    plan: planning.Plan,
    feed: Feed,
    learner: Learner,
    info: dict[str, Any],
    on_epoch: OnEpoch | None,
    on_step: OnStep | None,
    *,
    show: bool,
) -> resuming.Progress:
    config, dataset, run_key = plan.config, plan.dataset, plan.run_key
    progress = _progress(plan, feed, learner)

    def report(epoch: int, metrics: dict[str, float]) -> None:
        _tell(plan, progress)
        if on_epoch:
            on_epoch(epoch, metrics)

    if progress.epoch:
        _tell(plan, progress)  # it may have been killed before it could
    if callbacks.is_over(progress, config):
        return progress
    metadata = {"run_key": run_key, "dataset": dataset.name, **info}
    devices = feed.devices
    end = callbacks.EndOfEpoch(
        config, plan.folder, metadata, feed.validator, progress, report, devices
    )
    after = [
        callbacks.StopOnNaN(config, feed.listing.filepaths),
        end if devices.processes == 1 else coordination.Lead(devices, end),
    ]
    if on_step:
        after.append(callbacks.Steps(on_step))
    if config.tensorboard:
        after.append(keras.callbacks.TensorBoard(plan.folder / "tensorboard"))
    verbose = 0 if not show else 1 if sys.stdout.isatty() else 2
    _learn(feed, learner, progress.epoch, after, verbose)
    return progress


def _learn(
    feed: Feed,
    learner: Learner,
    epoch: int,
    after: list[keras.callbacks.Callback],
    verbose: int,
) -> None:
    batches = feed.batches(epoch * feed.steps)  # kept until the last iterator is gone
    feed.hand_over(learner)
    learner.fit(
        batches,
        steps_per_epoch=feed.steps,
        initial_epoch=epoch,
        epochs=feed.config.epochs,
        shuffle=False,  # the batches come in an order of their own
        verbose=verbose,
        callbacks=after,
    )


def _progress(plan: planning.Plan, feed: Feed, learner: Learner) -> resuming.Progress:
    """Returns how far the run has come, the learner put there."""
    last = checkpoint.pointed(plan.folder, "last")
    if last is None:
        if plan.resumes and registry.info(plan.dataset, plan.run_key).epoch:
            raise FileNotFoundError(f"run folder '{plan.folder}' has lost 'last'")
        return resuming.Progress()
    checkpoint.read_metadata(last)  # of a format that is known
    progress = resuming.load(last, learner)
    if feed.devices.is_first:
        checkpoint.point_to_best(plan.folder, progress.best["epoch"])
    logger.info("run '%s' goes on after epoch %d", plan.run_key, progress.epoch)
    return progress


def _tell(plan: planning.Plan, progress: resuming.Progress) -> None:
    """Writes the curves so far, into the run and as a CSV file."""
    history = progress.history
    log.write(plan.folder, history)
    registry.save_curves(plan.dataset, plan.run_key, history)
    best = resuming.finite(progress.best)
    registry.update(plan.dataset, plan.run_key, epoch=progress.epoch, best=best)
