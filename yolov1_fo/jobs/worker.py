"""The process of a job: `python -m yolov1_fo --job FOLDER`."""

import contextlib
import logging
import sys
import time
from pathlib import Path
from typing import Any

from yolov1_fo.datasets import connection, database_uri, error_lines, fiftyone_private
from yolov1_fo.inference import export_formats
from yolov1_fo.jobs import child_process, label_tasks, monitor, spawn, training_queue
from yolov1_fo.jobs.job import (
    STOP_FILE,
    Job,
    JobProgress,
    read_arguments,
    write_progress,
)
from yolov1_fo.jobs.stopping import StopRequest
from yolov1_fo.jobs.training_clock import TrainingClock
from yolov1_fo.runs import records, registry

REPORT_SECONDS = 0.3
"""Least time between two writings of the progress."""


class _Reporter:
    """Writes the progress of a job, at most every `REPORT_SECONDS`.

    Each call interrupts a job that is to stop.

    Attributes:
        stop: whether the job was asked to stop
    """

    def __init__(self, folder: Path, stop: StopRequest) -> None:
        self.folder, self.stop, self.last = folder, stop, 0.0
        self.shown = ""

    def __call__(self, done: float, label: str, *, now: bool = False) -> None:
        self.stop.check()  # an interrupt in a destructor is ignored by Python
        if now or time.monotonic() - self.last >= REPORT_SECONDS:
            self.last = time.monotonic()
            write_progress(self.folder, JobProgress("running", done, label))

    def waiting(self, label: str) -> None:
        """Shows what the job waits for."""
        if label != self.shown:
            self.shown = label
            write_progress(self.folder, JobProgress("waiting", label=label))


def main(folder: Path) -> int:
    """Runs the job in a folder; returns the exit code."""
    database_uri.scrub_logs()
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    stop = StopRequest()
    stop.handle()
    if not child_process.HAS_GROUPS:
        child_process.interrupt_when_exists(folder / STOP_FILE)
    job = monitor.find(folder)
    if job is None:
        print(f"'{folder}' is not a job", file=sys.stderr)
        return 2
    try:
        with spawn.working(folder):
            return _run(job, stop)
    except TimeoutError:
        print(f"another process works on the job in '{folder}'", file=sys.stderr)
        return 2


def _run(job: Job, stop: StopRequest) -> int:
    runs = {"apply": _apply, "evaluate": _evaluate, "export": _export}
    runs |= dict.fromkeys(label_tasks.LABEL_TASKS, _mend_labels)
    run, report = runs.get(job.task, _train), _Reporter(job.folder, stop)
    try:
        with contextlib.ExitStack() as queued:
            if training_queue.trains(job):
                queued.enter_context(training_queue.turn(job, report.waiting))
            result = run(job, read_arguments(job.folder), report)
    except KeyboardInterrupt:
        write_progress(job.folder, JobProgress("stopped", label="stopped"))
        return 130
    except Exception as error:
        logging.getLogger(__name__).exception("the job failed")
        label = _error_line(error, job)
        write_progress(job.folder, JobProgress("failed", label=label))
        connection.avoid_exit_delay()
        return 1
    progress = JobProgress("finished", 1.0, "finished", result=result)
    write_progress(job.folder, progress)
    return 0


def _error_line(error: Exception, job: Job) -> str:
    """Returns the message of an error, in one line."""
    from fiftyone.core.dataset import DatasetNotFoundError

    if isinstance(error, DatasetNotFoundError):
        return f"dataset '{job.dataset}' was deleted"
    return error_lines.describe(error) or database_uri.one_line(error)


def _train(job: Job, arguments: dict[str, Any], report: _Reporter) -> dict[str, Any]:
    samples, val_samples = _load_samples(job, arguments, report)
    _load_tensorflow(report)
    import yolov1_fo

    options: dict[str, Any] = {"resume": job.target}
    seconds_before = 0.0
    if arguments.get("resume"):
        dataset = fiftyone_private.root_dataset(samples)
        if registry.exists(dataset, job.target):
            seconds_before = records.seconds(dataset, job.target)
    else:
        field = "label_field" if job.task == "pretrain" else "gt_field"
        options = {
            field: arguments["field"],
            "run_key": job.target,
            **arguments["settings"],
            "weights": arguments.get("weights"),
            "runs_dir": job.folder.parents[2],
        }
    train = getattr(yolov1_fo, job.task)  # imports Keras
    clock = TrainingClock.of_settings(arguments["settings"], seconds_before)

    def on_step(epoch: int, epochs: int, step: int, steps: int) -> None:
        done, label = clock.at_step(epoch, epochs, step, steps)
        report(done, label, now=step == steps)

    result = train(
        samples,
        val_samples=val_samples,
        progress=False,
        on_step=on_step,
        device=arguments.get("device"),
        **options,
    )
    return {"checkpoint_dir": result.checkpoint_dir, "summary": result.summary_line}


def _apply(job: Job, arguments: dict[str, Any], report: _Reporter) -> dict[str, Any]:
    samples, _ = _load_samples(job, arguments, report)
    _load_tensorflow(report)
    import yolov1_fo

    model = yolov1_fo.load_model(
        arguments["model"],
        fiftyone_private.root_dataset(samples),
        **arguments["settings"],
    )
    report(0.0, f"predicting {len(samples)} samples", now=True)
    progress = _sample_progress(report)
    with report.stop.only_in_check():
        try:
            faults = yolov1_fo.apply(
                samples, model, job.target, **arguments["options"], progress=progress
            )
        except OSError:
            report.stop.check()  # the signal has ended the processes of the engine too
            raise
    return {"samples": len(samples), "faults": faults}


def _evaluate(job: Job, arguments: dict[str, Any], report: _Reporter) -> dict[str, Any]:
    from yolov1_fo.evaluation import evaluator

    samples, _ = _load_samples(job, arguments, report)
    report(0.0, f"evaluating {len(samples)} samples", now=True)
    evaluation = evaluator.evaluate(
        samples,
        arguments["pred_field"],
        arguments["gt_field"],
        job.target,
        arguments["classes"],
        iou_thresh=arguments["iou_thresh"],
        confidence_thresh=arguments.get("confidence_thresh"),
        progress=_sample_progress(report),
    )
    return evaluation.numbers()


def _mend_labels(
    job: Job, arguments: dict[str, Any], report: _Reporter
) -> dict[str, Any]:
    samples, _ = _load_samples(job, arguments, report)
    if label_tasks.needs_tensorflow(arguments):
        _load_tensorflow(report)
    progress = _sample_progress(report)
    return label_tasks.run(job, samples, arguments, report, progress)


def _export(job: Job, arguments: dict[str, Any], report: _Reporter) -> dict[str, Any]:
    dataset = _load_dataset(job, report)
    _load_tensorflow(report)
    import yolov1_fo

    report(0.0, f"exporting as {arguments['format']}", now=True)
    path = yolov1_fo.export(
        arguments["model"], arguments["path"], arguments["format"], dataset=dataset
    )
    return {"path": str(path), "metadata_path": str(export_formats.metadata_path(path))}


def _sample_progress(report: _Reporter) -> Any:
    """Returns FiftyOne's callback, which is called after each batch.

    It reports the progress over samples, and interrupts a job that is to stop.
    """
    return lambda bar: report(bar.progress, f"sample {bar.iteration} of {bar.total}")


def _load_samples(
    job: Job, arguments: dict[str, Any], report: _Reporter
) -> tuple[Any, Any]:
    """Returns the samples of a job and its validation samples."""
    from yolov1_fo.datasets import samples as fo_samples

    dataset = _load_dataset(job, report)
    samples, val_samples = (
        None if stages is None else fo_samples.view_from_stages(dataset, stages)
        for stages in (arguments["view"], arguments.get("val_view"))
    )
    return samples, val_samples


def _load_dataset(job: Job, report: _Reporter) -> Any:
    """Returns the dataset of a job."""
    import fiftyone as fo

    connection.check()
    if not fo.dataset_exists(job.dataset):
        raise ValueError(f"dataset '{job.dataset}' does not exist")
    report(0.0, "connected", now=True)
    return fo.load_dataset(job.dataset)


def _load_tensorflow(report: _Reporter) -> None:
    from yolov1_fo.networks.tensorflow_startup import load_tensorflow

    report(0.0, "loading TensorFlow", now=True)
    load_tensorflow()
