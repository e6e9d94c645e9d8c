"""Predicts in other processes, of this machine or of a Ray cluster.

Each process has a model of its own. It is sent chunks of images, predicts them and
writes the detections to the database.
"""

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import fiftyone.core.utils as fou

from yolov1_fo.datasets.sample_files import Files
from yolov1_fo.inference import prediction_pass, process_engine, ray_engine
from yolov1_fo.inference.engine_worker import Task

_RUN = {"process": process_engine.run, "ray": ray_engine.run}

logger = logging.getLogger(__name__)


def predict(
    engine: str,
    files: Files,
    task: Task,
    prepare: Callable[[], None],
    *,
    num_workers: int = 0,
    progress: bool | Callable[..., Any] | None = None,
) -> dict[str, str]:
    """Writes the detections of images, in other processes.

    Args:
        engine: process or ray
        files: of the samples
        task: what each process does
        prepare: called before the first images are sent
        num_workers (0): number of processes; 0 means one per CPU core or, in a cluster
            with GPUs, one per GPU
        progress (None): as in FiftyOne

    Returns:
        unreadable and truncated image files, with what is wrong with each

    Raises:
        ValueError: if the cluster has fewer CPU cores than processes are wanted
        OSError: if processes die repeatedly, or one can't reach the database
    """
    faults: dict[str, str] = {}
    warnings: set[str] = set()
    if not len(files):
        return faults
    progress_bar = fou.ProgressBar(total=len(files), progress=progress)
    run = _RUN[engine](files, task, num_workers, prepare)
    with progress_bar, contextlib.closing(run) as results:
        for result in results:
            faults |= result.faults
            for warning in result.warnings - warnings:
                logger.warning("%s", warning)
            warnings |= result.warnings
            progress_bar.update(result.images)
    prediction_pass.log_faults(faults)
    return faults
