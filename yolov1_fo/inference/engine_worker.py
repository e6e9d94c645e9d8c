"""A worker of an engine: predicts chunks of images and writes them to the database."""

import functools
import json
import logging
import math
import os
from typing import NamedTuple

from joblib.externals import loky

from yolov1_fo import hardware
from yolov1_fo.datasets import connection
from yolov1_fo.datasets.bulk_writer import BulkWriter, Target
from yolov1_fo.datasets.sample_files import Files, SampleFiles
from yolov1_fo.inference.prediction_pass import PredictionPass
from yolov1_fo.model.model_config import YOLOv1ModelConfig
from yolov1_fo.model.yolov1_model import YOLOv1Model

CHUNK_SIZE = 256
"""Largest number of images that a process is sent at a time, in whole batches."""
ATTEMPTS = 3
"""How often images are sent to processes that die before it is an error."""
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3"}
"""Environment variables of each process."""


class Task(NamedTuple):
    """What each worker does.

    Attributes:
        config: of the model, as JSON
        targets: name and id of the dataset, path and key field of each
            `bulk_writer.Target`
        batch_size: images per forward pass
        tiles: number of tiles per side that each image is followed by
        store_logits: whether each object gets its class logits
        workers_per_machine: number of processes that share the cores of a machine
    """

    config: str
    targets: tuple[tuple[str, str, str, str], ...]
    batch_size: int
    tiles: int
    store_logits: bool
    workers_per_machine: int = 1


class ChunkResult(NamedTuple):
    """What became of some images.

    Attributes:
        images: number of images
        faults: unreadable and truncated files, with what is wrong with each
        warnings: of the model
    """

    images: int
    faults: dict[str, str]
    warnings: frozenset[str] = frozenset()


NOTHING = ChunkResult(0, {})
"""Of no images, so that the caller can stop."""


class Worker:
    """Predicts images in a process of its own.

    Args:
        task: what it does
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        logging.getLogger("yolov1_fo").setLevel(logging.ERROR)  # the caller logs
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(self.threads()))

    def threads(self) -> int:
        """Returns the number of threads that compute, and of those that decode."""
        return max(loky.cpu_count() // self.task.workers_per_machine, 1)

    @functools.cached_property
    def model(self) -> YOLOv1Model:
        """The model, loaded for the first images, so that they have its error."""
        hardware.enable_memory_growth()
        return YOLOv1Model(YOLOv1ModelConfig(json.loads(self.task.config)))

    @connection.one_line_errors()
    def predict(self, files: SampleFiles) -> ChunkResult:
        """Writes the detections of some images.

        Args:
            files: of the samples

        Raises:
            OSError: if the database does not answer, or is not that of the caller
        """
        task = self.task
        writer = BulkWriter([_target(*one) for one in task.targets], is_raw=True)
        batches = PredictionPass(
            *(files, self.model, task.batch_size, self.threads()),
            progress=False,
            tiles=task.tiles,
            is_all=False,
        )
        write(batches, writer, self.model, store_logits=task.store_logits)
        return ChunkResult(len(files), batches.faults, self.model.warnings)


def chunks(files: Files, batch_size: int, num_workers: int) -> list[SampleFiles]:
    """Returns parts of some files, at least one for each process if possible.

    Args:
        files: of the samples
        batch_size: images per forward pass
        num_workers: number of processes
    """
    share = math.ceil(len(files) / num_workers)
    size = math.ceil(min(share, CHUNK_SIZE) / batch_size) * batch_size
    return [*files.parts(size)]


def predict(task: Task, files: SampleFiles) -> ChunkResult:
    """Writes the detections of some images, with this process' worker for a task."""
    return _worker(task).predict(files)


@functools.cache
def _worker(task: Task) -> Worker:
    return Worker(task)


def write(
    batches: PredictionPass,
    writer: BulkWriter,
    model: YOLOv1Model,
    *,
    store_logits: bool,
) -> None:
    """Writes the detections of images.

    Args:
        batches: the images
        writer: of the field
        model: that predicts
        store_logits: whether each object gets its class logits
    """
    with batches, writer:
        for ids, y_pred, windows in batches:
            found = model.documents_of(
                *(y_pred, windows), tiles=batches.tiles, store_logits=store_logits
            )
            for sample_id, document in zip(ids, found, strict=True):
                writer.add(sample_id, document)


def _target(dataset: str, dataset_id: str, path: str, key_field: str) -> Target:
    return Target(connection.load_shared(dataset, dataset_id), path, key_field)
