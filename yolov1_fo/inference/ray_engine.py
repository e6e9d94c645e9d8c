"""Predicts in the actors of a Ray cluster."""

import logging
import math
from collections.abc import Callable, Generator
from typing import Any

from yolov1_fo import ray_cluster
from yolov1_fo.config import packages
from yolov1_fo.datasets.sample_files import Files
from yolov1_fo.inference import engine_worker
from yolov1_fo.inference.engine_worker import ATTEMPTS, ChunkResult, Task, Worker
from yolov1_fo.ray_cluster import Workers

START_TIMEOUT = 300.0
"""Seconds to wait for actors; those that have not started by then are not used."""

logger = logging.getLogger(__name__)


def run(
    files: Files,
    task: Task,
    num_workers: int,
    prepare: Callable[[], None],
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

    actors: list[Any] = []
    with ray_cluster.connected():
        try:
            actors += _start(task, ray_cluster.plan_workers(num_workers))
            prepare()
            yield from ActorPool(actors).map_unordered(
                lambda worker, chunk: worker.predict.remote(chunk),
                engine_worker.chunks(files, task.batch_size, len(actors)),
            )
        except ray.exceptions.RayTaskError as error:  # an error of the worker's own
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise OSError(f"Ray failed: {packages.first_line(error)}") from error
        finally:
            for actor in actors:
                ray.kill(actor)


def _start(task: Task, workers: Workers) -> list[Any]:
    """Returns the actors that have started.

    Raises:
        OSError: if none has started
    """
    import ray

    task = task._replace(
        workers_per_machine=math.ceil(workers.number / workers.machines)
    )
    actor = ray.remote(Worker).options(
        num_cpus=1,
        num_gpus=int(workers.has_gpus),
        scheduling_strategy="SPREAD",
        max_restarts=-1,
        max_task_retries=ATTEMPTS - 1,
        runtime_env={"env_vars": engine_worker.ENVIRONMENT},
    )
    actors = [actor.remote(task) for _ in range(workers.number)]
    by_call = {one.threads.remote(): one for one in actors}
    ready, late = ray.wait([*by_call], num_returns=len(by_call), timeout=START_TIMEOUT)
    for call in late:
        ray.kill(by_call[call])
    if not ready:
        raise OSError(
            f"Ray has started none of {workers.number} workers in {START_TIMEOUT:.0f} "
            "s; its CPU cores or GPUs may be in use"
        )
    if late:
        logger.warning("Ray has started %d of %d workers", len(ready), workers.number)
    return [by_call[call] for call in ready]
