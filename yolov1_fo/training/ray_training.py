"""train_on_ray(samples, ...) -> TrainResult: one training on many machines.

Ray Train starts a worker for each part of the batch. If one dies, all are started
again, and resume the run. They call `train` on the JAX backend, see docs/devices.md.
This process imports no Keras.
"""

import contextlib
import functools
import logging
import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone as fo

from yolov1_fo import ray_cluster
from yolov1_fo.config import arguments, packages
from yolov1_fo.datasets import class_lists, connection, fiftyone_private
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.ray_cluster import Workers
from yolov1_fo.runs import folders, records, registry
from yolov1_fo.training import matching_layers, starting_weights
from yolov1_fo.training.first_process import FirstProcessError
from yolov1_fo.training.result import TrainResult

MAX_FAILURES = 3
"""How often the workers are started again without having completed an epoch."""
COMMUNICATION = re.compile(
    "(ABORTED|CANCELLED|DEADLINE_EXCEEDED|INTERNAL|UNAVAILABLE|UNKNOWN): "
)
"""Errors of JAX if other processes do not answer; not RESOURCE_EXHAUSTED."""
LOCK_SECONDS = 120.0
"""How long a run may be locked by a worker of a machine that has died."""
ENVIRONMENT = {"KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"}
"""Environment variables of each worker."""
ON_CPU = {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
"""More of them, without GPUs."""

logger = logging.getLogger(__name__)


class Split(NamedTuple):
    """Samples that other processes can find.

    Attributes:
        dataset: name of their dataset
        dataset_id: its id
        stages: of their view
    """

    dataset: str
    dataset_id: str
    stages: Any


class Work(NamedTuple):
    """What the workers do.

    Attributes:
        train: the training split
        val: the validation split; None without one
        run_key: name of the run
        folder: of the run
        settings: arguments of `train` for a new run, or to resume one
        options: arguments of `train` for each start
    """

    train: Split
    val: Split | None
    run_key: str
    folder: Path
    settings: dict[str, Any]
    options: dict[str, Any]

    def resumed(self) -> "Work":
        """Returns the work that resumes the run."""
        return self._replace(settings={"resume": self.run_key})

    def dataset(self) -> fo.Dataset:
        """Returns the dataset that the run belongs to, as it is stored now."""
        return fo.load_dataset(self.train.dataset, reload=True)


@connection.one_line_errors()
def train_on_ray(
    samples: fo_samples.Samples,
    gt_field: str = "ground_truth",
    val_samples: fo_samples.Samples | None = None,
    network: str | None = None,
    run_key: str | None = None,
    *,
    ray_workers: int = 0,
    resume: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    classes: Sequence[str] | None = None,
    runs_dir: str | os.PathLike[str] | None = None,
    on_epoch: Callable[..., None] | None = None,
    on_step: Callable[..., None] | None = None,
    callbacks: Sequence[Any] | None = None,
    augmentation: Any = None,
    progress: bool = True,
    **settings: Any,
) -> TrainResult:
    """Trains like `train`, on workers of a Ray cluster that share each batch.

    The cluster is the one that `ray.init` has connected to or would connect to,
    otherwise a new one on this machine. Each worker is a process on the JAX backend,
    and reads its part of each batch. If one dies, all are started again, and resume
    after the last complete epoch.

    Images, checkpoints and the run's folder must have the same paths on all machines,
    and the database the same address.

    Args:
        samples: the training split, of a persistent dataset
        gt_field ("ground_truth"): its field of Detections
        val_samples (None): the validation split, as in `train`
        network ("yolov1-efficientnet-lite0"): a name in `architectures.NETWORKS`
        run_key (None): name of the run on the dataset; generated if None
        ray_workers (0): number of workers, at most the GPUs of the cluster or, without
            GPUs, its CPU cores. 0 means one per GPU, or one per machine
        resume (None): key or folder of a run to resume
        weights (None): what to start from, as in `train`
        classes (None): names in the order of their ids, as in `train`
        runs_dir (None): folder for runs, on storage that all machines share
        on_epoch (None): as in `train`, but called in a worker, like the next three;
            they must be picklable
        on_step (None): as in `train`
        callbacks (None): as in `train`
        augmentation (None): as in `train`
        progress (True): shows the output of the first worker
        **settings: fields of `TrainConfig`

    Raises:
        ValueError: if the dataset is not persistent or the cluster is too small, or as
            in `train`
        TypeError: if a callback can't be pickled
        ImportError: if Ray Train or JAX is missing
        OSError: if Ray fails, or workers die repeatedly
    """
    packages.require("train_on_ray", ["ray", "pyarrow", "tensorboardX", "jax"])
    arguments.check_integer("ray_workers", ray_workers, 0)
    if network is not None:
        settings = {"network": network, **settings}
    options = {
        "on_epoch": on_epoch,
        "on_step": on_step,
        "callbacks": callbacks,
        "augmentation": augmentation,
    }
    _check_picklable(options)
    work = _work_of(
        *(samples, val_samples, gt_field, run_key, runs_dir, settings),
        resume=resume,
        weights=weights,
        classes=classes,
    )
    work = work._replace(options={**options, "progress": progress})
    try:
        with ray_cluster.connected(shows_output=progress):
            workers = ray_cluster.plan_workers(
                ray_workers, "ray_workers", per_machine=True
            )
            return _fit(work, workers)
    except KeyboardInterrupt as error:
        key = work.run_key
        error.add_note(
            f"run '{key}' was stopped after epoch {_epochs(work)}; resume it with "
            f"yolov1_fo.train_on_ray(samples, resume='{key}'), or with --resume {key}"
        )
        raise
    finally:
        dataset = fiftyone_private.root_dataset(samples)
        dataset.reload()
        if dataset.has_run(work.run_key):
            registry.status(dataset, work.run_key)  # if it was killed, it has failed


def _check_picklable(options: dict[str, Any]) -> None:
    from ray import cloudpickle

    for name, value in options.items():
        try:
            cloudpickle.dumps(value)
        except Exception as error:
            line = packages.first_line(error)
            raise TypeError(f"{name} must be picklable: {line}") from error


def _work_of(
    samples: fo_samples.Samples,
    val_samples: fo_samples.Samples | None,
    gt_field: str,
    run_key: str | None,
    runs_dir: str | os.PathLike[str] | None,
    settings: dict[str, Any],
    *,
    resume: str | os.PathLike[str] | None,
    weights: str | os.PathLike[str] | None,
    classes: Sequence[str] | None,
) -> Work:
    """Returns what the workers do, checked as far as no image has to be read."""
    train = _split(samples, "samples")
    val = None if val_samples is None else _split(val_samples, "val_samples")
    dataset = fiftyone_private.root_dataset(samples)
    source = None if weights is None else starting_weights.find(dataset, weights)
    given = {"weights": _path_or_name(weights), "classes": classes, **settings}
    given["gt_field"] = gt_field
    if resume is None:
        if "max_minutes" in settings:
            raise ValueError("max_minutes needs the TensorFlow backend, not Ray's JAX")
        known = class_lists.classes_of(samples, gt_field, classes)
        config = matching_layers.draft(settings, len(known), source).config
        run_key = run_key or registry.new_key(dataset, config.network, runs_dir)
        folder = folders.run_folder(dataset, run_key, runs_dir)
        registry.check_key(dataset, run_key, folder)
        given |= {"run_key": run_key, "runs_dir": folders.top_folder(runs_dir)}
    else:
        key = registry.find(dataset, resume)
        registry.status(dataset, key)
        registry.check_resumable(dataset, key)
        given |= {"run_key": run_key, "runs_dir": runs_dir, "resume": key}
        run_key, folder = key, Path(registry.existing_folder(dataset, key))
    return Work(train, val, run_key, folder, given, {})


def _split(samples: fo_samples.Samples, argument: str) -> Split:
    """Returns samples as other processes find them.

    Raises:
        ValueError: if their dataset is not persistent
    """
    samples = fo_samples.ungrouped(samples, argument)
    dataset = fiftyone_private.root_dataset(samples)
    if not dataset.persistent:
        raise ValueError(
            f"dataset '{dataset.name}' must be persistent, since other processes read "
            "it; set dataset.persistent = True"
        )
    dataset_id = str(fiftyone_private.dataset_id(dataset))
    return Split(dataset.name, dataset_id, fo_samples.stages(samples))


def _path_or_name(source: str | os.PathLike[str] | None) -> str | None:
    """Returns a path without the working directory, or the name of a run or model."""
    if source is None:
        return None
    path = Path(source)
    return str(path.absolute()) if path.exists() else os.fspath(source)


def _fit(work: Work, workers: Workers) -> TrainResult:
    """Trains; starts the workers again after one has died.

    Raises:
        OSError: if Ray fails, or workers die repeatedly
        Exception: that of a worker
    """
    failures, last = 0, _epochs(work)
    while True:
        try:
            return _fit_once(work, workers)
        except WorkersDiedError as error:
            done = _epochs(work)
            failures, last = (failures if done == last else 0) + 1, done
            if failures > MAX_FAILURES:
                raise
            logger.warning("%s; the workers are started again", error)
            if work.dataset().has_run(work.run_key):
                work = work.resumed()


def _epochs(work: Work) -> int:
    """Returns how many epochs of the run are complete."""
    dataset = work.dataset()
    is_there = dataset.has_run(work.run_key)
    return records.info(dataset, work.run_key).epoch if is_there else 0


class WorkersDiedError(OSError):
    """A worker has died, or Ray has failed; starting again may help."""


def _fit_once(work: Work, workers: Workers) -> TrainResult:
    """Trains until the end, or until a worker fails.

    Raises:
        WorkersDiedError: if Ray fails, or a worker dies
        Exception: that of a worker
    """
    import ray
    from ray import train
    from ray.train.v2.jax import JaxConfig, JaxTrainer

    with tempfile.TemporaryDirectory(prefix="yolov1-ray-") as storage:
        trainer = JaxTrainer(
            functools.partial(_train, work),
            jax_config=JaxConfig(),  # the workers connect JAX themselves
            scaling_config=train.ScalingConfig(
                num_workers=workers.number,
                use_gpu=workers.has_gpus,
                placement_strategy="PACK" if workers.has_gpus else "SPREAD",
            ),
            run_config=train.RunConfig(
                storage_path=storage,
                failure_config=train.FailureConfig(
                    controller_failure_limit=0, max_preemption_failures=0
                ),
                worker_runtime_env={
                    "env_vars": ENVIRONMENT | ({} if workers.has_gpus else ON_CPU)
                },
                logging_config=train.LoggingConfig(log_level="CRITICAL"),
            ),
        )
        try:
            with _interruptible():
                return trainer.fit().return_value
        except (train.TrainingFailedError, ray.exceptions.RayError) as failure:
            raise _error(failure) from failure


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Lets Ctrl-C raise KeyboardInterrupt, where Ray Train would exit the program."""
    with ray_cluster.keeps_handler(signal.SIGINT):
        try:
            yield
        except SystemExit:
            raise KeyboardInterrupt from None


def _error(failure: Exception) -> BaseException:
    """Returns the error of a worker, or that workers died.

    The others of a worker that dies can't exchange gradients with it any longer.
    """
    errors = getattr(failure, "worker_failures", {}) or {0: failure}
    dead = {rank: error for rank, error in errors.items() if _is_of_ray(error)}
    if not dead:
        for error in errors.values():
            if not _lacks_another(error):
                return error
    rank, error = next(iter((dead or errors).items()))
    for name in ("health_check_failure", "controller_failure"):
        error = getattr(error, name, None) or error
    line = ray_cluster.reason(error)
    return WorkersDiedError(f"worker {rank} of the Ray cluster failed: {line}")


def _is_of_ray(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] == "ray"


def _lacks_another(error: BaseException) -> bool:
    """Returns whether a worker has failed since another one has."""
    is_told = isinstance(error, FirstProcessError)
    return is_told or COMMUNICATION.match(str(error)) is not None


def _train(work: Work) -> TrainResult:
    """Trains in a worker."""
    from ray import train
    from ray.train.collective import broadcast_from_rank_zero

    import yolov1_fo

    context = train.get_context()
    rank = context.get_world_rank()
    logging.getLogger().setLevel(logging.WARNING)
    if rank == 0:
        _wait_until_unlocked(work.folder)
    address = broadcast_from_rank_zero(_free_address() if rank == 0 else None)
    os.environ |= {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(context.get_world_size()),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(rank),
    }
    samples = _load(work.train)
    val_samples = None if work.val is None else _load(work.val)
    return yolov1_fo.train(
        samples, val_samples=val_samples, **work.settings, **work.options
    )


def _load(split: Split) -> fo.DatasetView:
    dataset = connection.load_shared(split.dataset, split.dataset_id)
    return fo_samples.view_from_stages(dataset, split.stages)


def _wait_until_unlocked(folder: Path) -> None:
    """Waits for the lock of a process whose machine has died."""
    deadline = time.monotonic() + LOCK_SECONDS
    while folders.is_locked(folder) and time.monotonic() < deadline:
        time.sleep(1)


def _free_address() -> str:
    """Returns an address of this machine that the other workers can reach."""
    import ray

    host = ray.util.get_node_ip_address()
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"
