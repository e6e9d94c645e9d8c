"""The process of a job: `python -m yolov1_fo --job FOLDER`."""

import logging
import signal
import sys
import time
from pathlib import Path
from typing import Any

from yolov1_fo.datasets import connection, database, error_lines
from yolov1_fo.jobs import child_process, control
from yolov1_fo.runs import estimate

TELL_EVERY = 0.3
"""Seconds between two notes of how far it is."""
SURE_AFTER = 3.0
"""Seconds until it says how long it will take."""


class _Teller:
    """Writes progress, not too often."""

    def __init__(self, place: Path) -> None:
        self.place, self.last = place, 0.0

    def __call__(self, done: float, label: str, *, now: bool = False) -> None:
        if now or time.monotonic() - self.last >= TELL_EVERY:
            self.last = time.monotonic()
            control.tell(self.place, control.Progress("running", done, label))


def main(place: Path) -> int:
    """Does what `job.json` says; returns the exit code."""
    database.scrub_logs()
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not child_process.HAS_GROUPS:
        child_process.interrupt_when(place / control.STOPPING)
    job = control.find(place)
    if job is None:
        print(f"'{place}' is no job", file=sys.stderr)
        return 2
    try:
        with control.at_work(place):
            return _work(job, place)
    except TimeoutError:
        print(f"another process does the job in '{place}'", file=sys.stderr)
        return 2


def _work(job: control.Job, place: Path) -> int:
    try:
        work = {"apply": _apply, "evaluate": _evaluate}.get(job.task, _learn)
        result = work(job, control.arguments(place), _Teller(place))
    except KeyboardInterrupt:
        control.tell(place, control.Progress("stopped", label="stopped"))
        return 130
    except Exception as error:
        logging.getLogger(__name__).exception("the job failed")
        control.tell(place, control.Progress("failed", label=_line(error, job)))
        connection.let_go()
        return 1
    control.tell(place, control.Progress("finished", 1.0, "finished", result=result))
    return 0


def _line(error: Exception, job: control.Job) -> str:
    """Returns what went wrong, in one line."""
    from fiftyone.core.dataset import DatasetNotFoundError

    if isinstance(error, DatasetNotFoundError):
        return f"dataset '{job.dataset}' was deleted"
    return error_lines.line(error) or database.line(error)


def _learn(job: control.Job, said: dict[str, Any], tell: _Teller) -> dict[str, Any]:
    samples, val = _collections(job, said, tell)
    _load_tensorflow(tell)
    settings = said["settings"]
    first: list[tuple[float, float]] = []  # when the compiled step began, and where

    def on_step(epoch: int, epochs: int, step: int, steps: int) -> None:
        now, done = time.monotonic(), (epoch - 1 + step / steps) / epochs
        if not first:
            first.append((now, done))
        label = f"epoch {epoch} of {epochs}, step {step} of {steps}"
        passed, part = now - first[0][0], done - first[0][1]
        if passed > SURE_AFTER:
            label += f", about {estimate.span(passed * (1 - done) / part)} left"
        tell(done, label, now=step == steps)

    import yolov1_fo

    learn = getattr(yolov1_fo, job.task)
    if said.get("resume"):
        given: dict[str, Any] = {"resume": job.target}
    else:
        field = "label_field" if job.task == "pretrain" else "gt_field"
        given = {field: said["field"], "run_key": job.target, **settings}
        given["runs_dir"] = job.folder.parents[2]
    result = learn(samples, val_samples=val, progress=False, on_step=on_step, **given)
    return {"checkpoint_dir": result.checkpoint_dir, "summary": str(result)}


def _apply(job: control.Job, said: dict[str, Any], tell: _Teller) -> dict[str, Any]:
    import fiftyone as fo

    samples, _ = _collections(job, said, tell)
    _load_tensorflow(tell)
    import yolov1_fo

    model = yolov1_fo.load_model(
        said["model"], samples._root_dataset, **said["settings"]
    )
    tell(0.0, f"predicting {len(samples)} samples", now=True)
    faults = yolov1_fo.apply(
        samples,
        model,
        job.target,
        batch_size=said["batch_size"],
        skip_existing=said["skip_existing"],
        progress=fo.report_progress(
            lambda bar: tell(bar.progress, f"sample {bar.iteration} of {bar.total}"),
            dt=TELL_EVERY,
        ),
    )
    return {"samples": len(samples), "faults": faults}


def _evaluate(job: control.Job, said: dict[str, Any], tell: _Teller) -> dict[str, Any]:
    import fiftyone as fo

    from yolov1_fo.evaluation import evaluator

    samples, _ = _collections(job, said, tell)
    tell(0.0, f"evaluating {len(samples)} samples", now=True)
    report = evaluator.evaluate(
        samples,
        said["pred_field"],
        said["gt_field"],
        job.target,
        said["classes"],
        iou_thresh=said["iou_thresh"],
        progress=fo.report_progress(
            lambda bar: tell(bar.progress, f"sample {bar.iteration} of {bar.total}"),
            dt=TELL_EVERY,
        ),
    )
    return report.numbers()


def _collections(
    job: control.Job, said: dict[str, Any], tell: _Teller
) -> tuple[Any, Any]:
    """Returns the samples, and those to measure on."""
    import fiftyone as fo

    from yolov1_fo.datasets import samples as fo_samples

    connection.check()
    if not fo.dataset_exists(job.dataset):
        raise ValueError(f"dataset '{job.dataset}' does not exist")
    dataset = fo.load_dataset(job.dataset)
    found = [
        None if stages is None else fo_samples.view_of(dataset, stages)
        for stages in (said["view"], said.get("val_view"))
    ]
    tell(0.0, "connected", now=True)
    return found[0], found[1]


def _load_tensorflow(tell: _Teller) -> None:
    from yolov1_fo.networks.loading import load_tensorflow

    tell(0.0, "loading TensorFlow", now=True)
    load_tensorflow()
