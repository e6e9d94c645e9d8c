"""Predicts in the actors of a Ray cluster."""

import logging
import math
from collections.abc import Callable, Generator
from typing import Any

from yolov1_fo.inference import engine_worker
from yolov1_fo.inference.engine_worker import ATTEMPTS, ChunkResult, Task, Worker
from yolov1_fo.inference.prediction_pass import SampleFiles
from yolov1_fo.networks import formats

START_TIMEOUT = 300.0
"""Seconds to wait for actors; those that have not started by then are not used."""

logger = logging.getLogger(__name__)


def run(
    files: SampleFiles, task: Task, num_workers: int, prepare: Callable[[], None]
) -> Generator[ChunkResult, None, None]:
    """Yields results of chunks; Ray restarts an actor that dies, with its images.

    Args:
        files: of the samples
        task: what each actor does
        num_workers: number of actors; 0 means one per GPU of the cluster, or without
            GPUs one per CPU core
        prepare: called before the first images are sent

    Raises:
        ValueError: if the cluster has fewer CPU cores
        OSError: if Ray fails, or an actor that dies can't be restarted
    """
    import ray
    from ray.util import ActorPool

    is_new = not ray.is_initialized()
    actors: list[Any] = []
    try:
        if is_new:
            _connect()
        actors += _start(task, num_workers)
        prepare()
        yield from ActorPool(actors).map_unordered(
            lambda worker, chunk: worker.predict.remote(chunk),
            engine_worker.chunks(files, task.batch_size, len(actors)),
        )
    except ray.exceptions.RayTaskError as error:  # an error of the worker's own
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise OSError(f"Ray failed: {formats.first_line(error)}") from error
    finally:
        for actor in actors:
            ray.kill(actor)
        if is_new:
            ray.shutdown()


def _connect() -> None:
    """Connects to the cluster that is configured, or starts one on this machine.

    Raises:
        OSError: if the cluster does not answer
    """
    import ray

    try:
        ray.init(log_to_driver=False)
    except Exception as error:  # Ray raises errors of many types
        raise OSError(f"Ray can't be reached: {formats.first_line(error)}") from error


def _start(task: Task, num_workers: int) -> list[Any]:
    """Returns the actors that have started.

    Raises:
        ValueError: if the cluster has fewer CPU cores
        OSError: if none has started
    """
    import ray

    resources = ray.cluster_resources()
    cores, gpus = (int(resources.get(name, 0)) for name in ("CPU", "GPU"))
    wanted = num_workers or gpus or cores
    if wanted > cores:
        raise ValueError(
            f"num_workers must be at most {cores}, the CPU cores of the Ray cluster, "
            f"got {wanted}"
        )
    machines = [node for node in ray.nodes() if node["Resources"].get("CPU")]
    task = task._replace(workers_per_machine=math.ceil(wanted / len(machines)))
    actor = ray.remote(Worker).options(
        num_cpus=1,
        num_gpus=1 if gpus >= wanted else 0,
        scheduling_strategy="SPREAD",
        max_restarts=-1,
        max_task_retries=ATTEMPTS - 1,
        runtime_env={"env_vars": engine_worker.ENVIRONMENT},
    )
    actors = [actor.remote(task) for _ in range(wanted)]
    by_call = {one.threads.remote(): one for one in actors}
    ready, late = ray.wait([*by_call], num_returns=len(by_call), timeout=START_TIMEOUT)
    for call in late:
        ray.kill(by_call[call])
    if not ready:
        raise OSError(
            f"Ray has started none of {wanted} workers in {START_TIMEOUT:.0f} s; its "
            "CPU cores or GPUs may be in use"
        )
    if late:
        logger.warning("Ray has started %d of %d workers", len(ready), wanted)
    return [by_call[call] for call in ready]
