"""The headline figures of a report, and where its run comes from."""

import math
from typing import Any, NamedTuple

from yolov1_fo.publishing import model_card
from yolov1_fo.training import progress_text
from yolov1_fo.training.run_report.contents import Contents, numbers
from yolov1_fo.training.run_report.names import MONITORS, SCORES

STATUSES = {
    "finished": "Finished",
    "running": "Running",
    "stopped": "Stopped",
    "failed": "Failed",
}
UNKNOWN = "-"


class Fact(NamedTuple):
    """A value with its name.

    Attributes:
        name: what it is
        value: as text
        note: more about it; may be empty
    """

    name: str
    value: str
    note: str = ""


def headline(contents: Contents) -> list[Fact]:
    """Returns the headline figures: scores, operating point, epochs, time."""
    facts = [*_scores(contents), *_operating_point(contents)]
    loss = _number(contents.metrics.get("loss"))
    if not facts and loss is not None:
        facts.append(Fact("Training loss", progress_text.value("loss", loss)))
    return [*facts, *_epochs(contents), *_time(contents)]


def _scores(contents: Contents) -> list[Fact]:
    return [
        Fact(text, f"{value:.3f}")
        for name, text in SCORES.items()
        if name != "val_f1"
        and (value := _number(contents.metrics.get(name))) is not None
    ]


def _operating_point(contents: Contents) -> list[Fact]:
    point = contents.overall
    if point is None:
        return []
    note = f"at a confidence of at least {point.thresh:.2f}"
    if math.isnan(point.thresh):
        note = "no detection is a true positive"
    shown, objects = point.tp + point.fp, point.tp + point.fn
    right = f"{point.tp:,} of {shown:,} detections are right" if shown else ""
    found = f"{point.tp:,} of {objects:,} objects are found" if objects else ""
    return [
        Fact("F1", _share(point.f1), note),
        Fact("Precision", _share(point.precision), right),
        Fact("Recall", _share(point.recall), found),
    ]


def _epochs(contents: Contents) -> list[Fact]:
    best = _number(contents.metrics.get("epoch"))
    if best is None:
        return []
    settings, done = contents.settings, contents.epochs
    known = {name for name in contents.metrics if name in MONITORS}
    monitor = progress_text.monitored(str(settings.get("monitor")), known)
    note = f"by {MONITORS[monitor]}"
    planned = _number(settings.get("epochs"))
    if planned is not None and done < planned:
        note += f"; {planned:.0f} epochs were planned"
    return [Fact("Best epoch", f"{best:.0f} of {max(done, int(best))}", note)]


def _time(contents: Contents) -> list[Fact]:
    found = numbers(contents.history.get("seconds", ()))
    known = [one for one in found if one is not None]
    if not known:
        return []
    device = str(contents.record.get("device") or "")
    return [Fact("Training time", progress_text.duration(max(known)), device)]


def _number(value: Any) -> float | None:
    """Returns a finite number; None in place of anything else."""
    return numbers([value])[0]


def _share(value: float) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:.2f}"


def subtitle(contents: Contents) -> str:
    """Returns the run in one line: network, input, grid, classes, recipe."""
    settings, count = contents.settings, len(contents.classes)
    S = settings.get("S", "?")
    parts = [
        str(settings.get("network", "unknown network")),
        f"{settings.get('image_size', '?')} px",
        f"{S} x {S} cells" if contents.task == "detect" else "classifier",
        f"{count} class{'es' * (count != 1)}",
        f"recipe {settings.get('recipe', 'paper')}",
    ]
    return " · ".join(parts)


def status(contents: Contents) -> Fact | None:
    """Returns how the run ended, why, and when it started; None if it is unknown."""
    record = contents.record
    name = record.get("status")
    if name not in STATUSES:
        return None
    notes = [str(record[one]) for one in ("error", "stopped_early") if record.get(one)]
    if contents.started:
        notes.append(f"started {contents.started:%Y-%m-%d %H:%M} UTC")
    return Fact("Status", STATUSES[name], "; ".join(notes))


def origin(contents: Contents) -> list[Fact]:
    """Returns where the run comes from: its data, parent, device and versions."""
    record = contents.record
    versions = record.get("versions") or {}
    layers = [one.get("class_name") for one in record.get("augmentation") or ()]
    facts = [
        Fact("Dataset", contents.dataset),
        Fact("Field", str(record.get("gt_field") or "")),
        Fact("Started from", model_card.parent_text(record, str) or _start(contents)),
        Fact("Device", _device(record)),
        Fact("Augmentation layers", ", ".join(map(str, layers))),
        *(Fact(str(name), str(version)) for name, version in versions.items()),
    ]
    return [one for one in facts if one.value]


def _start(contents: Contents) -> str:
    if contents.has_backbone and contents.settings.get("pretrained"):
        return "a backbone with ImageNet weights"
    return "random weights"


def _device(record: dict[str, Any]) -> str:
    device = str(record.get("device") or "")
    counts = {name: record.get(name) or 1 for name in ("devices", "processes")}
    more = ", ".join(f"{count} {name}" for name, count in counts.items() if count != 1)
    return f"{device} ({more})" if more else device
