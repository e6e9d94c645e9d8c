"""Predicts in the actors of a Ray cluster."""

import collections
import logging
import math
import time
from collections.abc import Callable, Generator
from typing import Any

from yolov1_fo import ray_cluster
from yolov1_fo.datasets.sample_files import Files, SampleFiles
from yolov1_fo.inference import engine_worker
from yolov1_fo.inference.engine_worker import ATTEMPTS, ChunkResult, Task, Worker
from yolov1_fo.ray_cluster import Workers

START_TIMEOUT = 300.0
"""Seconds to wait while no actor answers."""
POLL_SECONDS = 1.0
"""How often the caller can stop while no result is ready."""

logger = logging.getLogger(__name__)


def run(
    files: Files,
    task: Task,
    num_workers: int,
    prepare: Callable[[], None],
) -> Generator[ChunkResult, None, None]:
    """Yields results of chunks; images of an actor that dies are predicted again.

    Args:
        files: of the samples
        task: what each actor does
        num_workers: number of actors; 0 means one per GPU of the cluster, or without
            GPUs one per CPU core
        prepare: called before the first images are sent

    Raises:
        ValueError: if the cluster has fewer CPU cores
        OSError: if Ray fails, actors die repeatedly, or none starts
    """
    import ray

    actors: list[Any] = []
    with ray_cluster.connected():
        try:
            actors += _start(task, ray_cluster.plan_workers(num_workers))
            chunks = engine_worker.chunks(files, task.batch_size, len(actors))
            yield from _results(actors, chunks, prepare)
        except ray.exceptions.RayTaskError as error:  # an error of the worker's own
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise OSError(f"Ray failed: {ray_cluster.reason(error)}") from error
        finally:
            for actor in actors:
                ray.kill(actor)


def _start(task: Task, workers: Workers) -> list[Any]:
    """Returns actors; they start as soon as there are resources."""
    import ray

    task = task._replace(
        workers_per_machine=math.ceil(workers.number / workers.machines)
    )
    actor = ray.remote(Worker).options(
        num_cpus=1,
        num_gpus=int(workers.has_gpus),
        scheduling_strategy="SPREAD",
        max_restarts=-1,
        max_task_retries=-1,
        runtime_env={"env_vars": engine_worker.ENVIRONMENT},
    )
    return [actor.remote(task) for _ in range(workers.number)]


def _results(
    actors: list[Any], chunks: list[SampleFiles], prepare: Callable[[], None]
) -> Generator[ChunkResult, None, None]:
    """Yields results of chunks.

    Actors that start late join the others. One that dies gets images again when Ray has
    restarted it; until then, or if its machine is lost, the others predict them.

    Args:
        actors: at least one
        chunks: the images
        prepare: called before the first images are sent

    Raises:
        RayError: if actors die repeatedly, or can't start
        OSError: if none has answered in `START_TIMEOUT`
    """
    import ray

    def ask(asked: list[Any]) -> None:
        """Lets actors join as soon as they answer."""
        starting.update({one.threads.remote(): one for one in asked})

    waiting = collections.deque((1, chunk) for chunk in chunks)
    starting: dict[Any, Any] = {}
    busy: dict[Any, tuple[Any, int, SampleFiles]] = {}
    idle: list[Any] = []
    ask([*actors])
    is_prepared, changed = False, time.monotonic()
    while waiting or busy:
        ready, _ = ray.wait([*starting, *busy], timeout=POLL_SECONDS)
        if not ready:
            yield ChunkResult(0, {})  # the caller may want to stop
            if not busy and time.monotonic() > changed + START_TIMEOUT:
                raise OSError(
                    f"none of {len(actors)} workers of the Ray cluster has answered "
                    f"in {START_TIMEOUT:.0f} s; its CPU cores or GPUs may be in use"
                )
            continue
        [call], changed = ready, time.monotonic()
        if call in starting:
            ray.get(call)
            idle.append(starting.pop(call))
        else:
            actor, attempt, chunk = busy.pop(call)
            try:
                yield ray.get(call)
            except ray.exceptions.RayActorError:
                if attempt == ATTEMPTS:
                    raise
                logger.warning(
                    "a worker died; %d images are predicted again", len(chunk)
                )
                waiting.append((attempt + 1, chunk))
                ask([actor, *idle])  # which may have died too
                idle.clear()
            else:
                idle.append(actor)
        if idle and not is_prepared:
            prepare()
            is_prepared = True
        while idle and waiting:
            actor, (attempt, chunk) = idle.pop(), waiting.popleft()
            call = actor.predict.options(max_task_retries=0).remote(chunk)
            busy[call] = actor, attempt, chunk
