"""Predicts in several processes of this machine."""

import logging
import os
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import BrokenExecutor, Future, as_completed

from joblib.externals import loky

from yolov1_fo.datasets.sample_files import Files, SampleFiles
from yolov1_fo.inference import engine_worker
from yolov1_fo.inference.engine_worker import ATTEMPTS, NOTHING, ChunkResult, Task

POLL_SECONDS = 0.5
"""How often a worker looks whether its caller is still there."""

logger = logging.getLogger(__name__)


def run(
    files: Files,
    task: Task,
    num_workers: int,
    prepare: Callable[[], None],
) -> Generator[ChunkResult, None, None]:
    """Yields results of chunks; images of a process that dies are predicted again.

    Args:
        files: of the samples
        task: what each process does
        num_workers: number of processes; 0 means one per CPU core
        prepare: called before the first images are sent

    Raises:
        OSError: if processes die without a result in between
    """
    num_workers = num_workers or loky.cpu_count()
    left = engine_worker.chunks(files, task.batch_size, num_workers)
    num_workers = min(num_workers, len(left))
    task = task._replace(workers_per_machine=num_workers)
    prepare()
    fruitless = 0
    while left:
        pending = left
        pool = loky.ProcessPoolExecutor(
            num_workers,
            initializer=_end_with_caller,
            initargs=(os.getpid(),),
            env=engine_worker.ENVIRONMENT,
        )
        failed = set()
        try:
            sent = _send(pool, task, pending)
            for future in as_completed(sent):
                if isinstance(future.exception(), BrokenExecutor):
                    failed.add(future)
                    yield NOTHING
                else:
                    yield future.result()
        finally:
            pool.shutdown(kill_workers=True)
        left = [chunk for future, chunk in sent.items() if future in failed]
        left = _suspects_last([*left, *pending[len(sent) :]], num_workers)
        fruitless = fruitless + 1 if len(left) == len(pending) else 0
        if fruitless == ATTEMPTS:
            raise OSError(
                f"worker processes died {ATTEMPTS} times in a row, perhaps for lack of "
                "memory; try fewer num_workers or a smaller batch_size; one of them "
                f"had '{left[0].filepaths[0]}' and the {len(left[0]) - 1} files "
                "after it"
            )
        if left:
            logger.warning(
                "a worker process died; %d images are predicted again",
                sum(len(chunk) for chunk in left),
            )


def _end_with_caller(pid: int) -> None:
    """Ends this process when its caller is killed, which can't end it any longer."""

    def watch() -> None:
        while os.getppid() == pid:
            time.sleep(POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _suspects_last(left: list[SampleFiles], num_workers: int) -> list[SampleFiles]:
    """Returns the chunks that are left, those that may have killed a process last.

    Args:
        left: in the order in which they were sent
        num_workers: number of processes, each with a chunk and perhaps another waiting
    """
    count = min(2 * num_workers + 1, len(left) - 1)
    return left[count:] + left[:count] if left else left


def _send(
    pool: loky.ProcessPoolExecutor, task: Task, chunks: list[SampleFiles]
) -> dict[Future[ChunkResult], SampleFiles]:
    """Returns the futures of the chunks; not of all if a process dies meanwhile."""
    sent: dict[Future[ChunkResult], SampleFiles] = {}
    for chunk in chunks:
        try:
            sent[pool.submit(engine_worker.predict, task, chunk)] = chunk
        except BrokenExecutor:
            break
    return sent
