"""Labels of runs and published models in dropdowns: their name, mAP and status."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from yolov1_fo import pretrained
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import records, run_json
from yolov1_fo.training.progress import SCORES

from .. import dataset_values


def models(
    dataset: Any,
    run_keys: Iterable[str],
    tasks: Collection[str] = (run_json.DETECT,),
) -> dict[str, str]:
    """Returns runs, then published models of other names, each with its label.

    Args:
        dataset: with the runs
        run_keys: of the runs
        tasks (detect): what the models are trained for
    """
    others = published(tasks)
    runs = of_runs(dataset, run_keys)
    return runs | {name: label for name, label in others.items() if name not in runs}


def of_runs(dataset: Any, run_keys: Iterable[str]) -> dict[str, str]:
    """Returns runs, each with its label."""
    return {key: _run_label(dataset, key) for key in run_keys}


def _run_label(dataset: Any, run_key: str) -> str:
    """Returns a run's name with its mAP, and its status unless it is finished."""
    run = records.info(dataset, run_key)
    status = getattr(run, "status", "failed")
    notes = [_score(getattr(run, "best", None))]
    notes += [status] if status != "finished" else []
    return _label(f"Run {run_key}", notes)


def included() -> dict[str, str]:
    """Returns the detectors that come with the package, each with a label."""
    return {
        name: _label(f"Included: {name}", [_score(one.get("metrics"))])
        for name in pretrained.names()
        for one in [dataset_values.metadata(pretrained.ROOT / name)]
    }


def published(tasks: Collection[str]) -> dict[str, str]:
    """Returns the published models, each with a label.

    Args:
        tasks: what they are trained for
    """
    known = {
        name: dataset_values.metadata(local_zoo.root() / name)
        for name in local_zoo.names()
    }
    return {
        name: _label(f"Zoo: {name}", [_score(one.get("metrics"))])
        for name, one in known.items()
        if run_json.task_of(one) in tasks
    }


def _label(name: str, notes: list[str]) -> str:
    shown = ", ".join(filter(None, notes))
    return f"{name} ({shown})" if shown else name


def _score(metrics: Any) -> str:
    """Returns the mAP or accuracy among metrics, as text; empty without one."""
    known = metrics if isinstance(metrics, Mapping) else {}
    for metric, name in SCORES.items():
        value = known.get(metric)
        if isinstance(value, int | float):
            return f"{name} {value:.3f}"
    return ""
