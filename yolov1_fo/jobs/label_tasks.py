"""The jobs of the circle of labels, as their processes run them."""

from collections.abc import Callable
from typing import Any

from yolov1_fo.jobs.job import Job
from yolov1_fo.jobs.training_clock import TrainingClock

LABEL_TASKS = ("find_mistakes", "suggest", "next_to_label")
Report = Callable[..., None]
"""Called with the share of the work that is done, and a line about it."""


def needs_tensorflow(arguments: dict[str, Any]) -> bool:
    """Returns whether a job trains or predicts."""
    return bool(arguments.get("folds") or arguments.get("model"))


def run(
    job: Job, samples: Any, arguments: dict[str, Any], report: Report, progress: Any
) -> dict[str, Any]:
    """Runs a job; returns its result, as JSON.

    Args:
        job: of one of `LABEL_TASKS`
        samples: its samples
        arguments: from `label_launch`
        report: writes its progress
        progress: FiftyOne's callback for the progress over samples
    """
    if job.task == "find_mistakes":
        return _find_mistakes(job, samples, arguments, report)
    if job.task == "suggest":
        return _suggest(job, samples, arguments, progress)
    return _next_to_label(job, samples, arguments, progress)


def _find_mistakes(
    job: Job, samples: Any, arguments: dict[str, Any], report: Report
) -> dict[str, Any]:
    import yolov1_fo

    options: dict[str, Any] = {}
    if arguments["folds"]:
        options = _with_progress(arguments, report)
    else:
        report(0.0, f"comparing {len(samples)} samples", now=True)
    found = yolov1_fo.find_mistakes(
        samples,
        arguments["pred_field"],
        arguments["gt_field"],
        folds=arguments["folds"],
        mistake_field=job.target,
        min_score=arguments["min_score"],
        **options,
    )
    return {"counts": found.counts, "samples": found.samples, "objects": found.objects}


def _with_progress(arguments: dict[str, Any], report: Report) -> dict[str, Any]:
    """Returns the settings of trainings that report which of them runs."""
    settings, folds = arguments["settings"], arguments["folds"]
    fold, clock = 0, TrainingClock.of_settings(settings)

    def on_fold(number: int, _: int) -> None:
        nonlocal fold, clock
        fold, clock = number, TrainingClock.of_settings(settings)
        report((fold - 1) / folds, f"training {fold} of {folds}", now=True)

    def on_step(epoch: int, epochs: int, step: int, steps: int) -> None:
        done, label = clock.at_step(epoch, epochs, step, steps)
        line = f"training {fold} of {folds}: {label}"
        report((fold - 1 + done) / folds, line, now=step == steps)

    callbacks = {"on_fold": on_fold, "on_step": on_step}
    return {**settings, "device": arguments["device"], **callbacks}


def _suggest(
    job: Job, samples: Any, arguments: dict[str, Any], progress: Any
) -> dict[str, Any]:
    import yolov1_fo

    found = yolov1_fo.suggest(
        samples,
        arguments["pred_field"] or _model(samples, arguments),
        job.target,
        thresh=arguments["thresh"],
        include_labeled=arguments["include_labeled"],
        progress=progress,
    )
    return {**found._asdict(), "line": str(found)}


def _next_to_label(
    job: Job, samples: Any, arguments: dict[str, Any], progress: Any
) -> dict[str, Any]:
    import yolov1_fo

    chosen = yolov1_fo.next_to_label(
        samples,
        _model(samples, arguments),
        arguments["count"],
        arguments["gt_field"],
        tag=job.target,
        progress=progress,
    )
    return {"sample_ids": chosen.values("id")}


def _model(samples: Any, arguments: dict[str, Any]) -> Any:
    import yolov1_fo
    from yolov1_fo.datasets import fiftyone_private

    dataset = fiftyone_private.root_dataset(samples)
    return yolov1_fo.load_model(arguments["model"], dataset)
