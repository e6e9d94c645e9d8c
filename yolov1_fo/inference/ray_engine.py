"""Predicts in the actors of a Ray cluster."""

import collections
import functools
import logging
import math
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

from yolov1_fo import ray_cluster
from yolov1_fo.datasets.sample_files import Files, SampleFiles
from yolov1_fo.inference import engine_worker
from yolov1_fo.inference.engine_worker import (
    ATTEMPTS,
    NOTHING,
    ChunkResult,
    Task,
    Worker,
)
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
            yield from _Actors(actors, chunks, prepare).results()
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


class _Actors:
    """The actors, and the images that wait for them.

    Actors that start late join the others. One that dies gets images again when Ray has
    restarted it; until then, or if its machine is lost, the others predict them.

    Args:
        actors: at least one
        chunks: the images
        prepare: called before the first images are sent
    """

    def __init__(
        self, actors: list[Any], chunks: list[SampleFiles], prepare: Callable[[], None]
    ) -> None:
        self.count = len(actors)
        self.prepare = functools.cache(prepare)
        self.waiting = collections.deque((1, chunk) for chunk in chunks)
        self.idle: list[Any] = []
        self.starting: dict[Any, Any] = {}
        self.busy: dict[Any, tuple[Any, int, SampleFiles]] = {}
        self.answered = time.monotonic()
        self._ask(actors)

    def results(self) -> Iterator[ChunkResult]:
        """Yields results of chunks, and empty ones in between.

        Raises:
            RayError: if actors die repeatedly, or can't start
            OSError: if none has answered in `START_TIMEOUT`
        """
        while self.waiting or self.busy:
            yield self._next()
            self._send()

    def _next(self) -> ChunkResult:
        """Waits for an actor; returns what it has done."""
        import ray

        ready, _ = ray.wait([*self.starting, *self.busy], timeout=POLL_SECONDS)
        if not ready:
            self._check_time()
            return NOTHING
        [call], self.answered = ready, time.monotonic()
        if call in self.starting:
            ray.get(call)
            self.idle.append(self.starting.pop(call))
            return NOTHING
        actor, attempt, chunk = self.busy.pop(call)
        try:
            result: ChunkResult = ray.get(call)
        except ray.exceptions.RayActorError:
            if attempt == ATTEMPTS:
                raise
            logger.warning("a worker died; %d images are predicted again", len(chunk))
            self.waiting.append((attempt + 1, chunk))
            self._ask([actor, *self.idle])  # those may have died too
            self.idle = []
            return NOTHING
        self.idle.append(actor)
        return result

    def _check_time(self) -> None:
        if not self.busy and time.monotonic() > self.answered + START_TIMEOUT:
            raise OSError(
                f"none of {self.count} workers of the Ray cluster has answered in "
                f"{START_TIMEOUT:.0f} s; its CPU cores or GPUs may be in use"
            )

    def _ask(self, actors: list[Any]) -> None:
        """Lets actors join as soon as they answer."""
        self.starting |= {one.threads.remote(): one for one in actors}

    def _send(self) -> None:
        """Sends images to idle actors."""
        while self.idle and self.waiting:
            self.prepare()
            actor, (attempt, chunk) = self.idle.pop(), self.waiting.popleft()
            call = actor.predict.options(max_task_retries=0).remote(chunk)
            self.busy[call] = actor, attempt, chunk
