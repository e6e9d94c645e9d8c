"""The model card of a published model: its metadata as Markdown, for people."""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from yolov1_fo.config import TrainConfig, metric_names
from yolov1_fo.evaluation.operating_point import OperatingPoint
from yolov1_fo.runs import run_json

METRICS = {
    "val_voc07": "VOC07 mAP@0.5 on the validation split",
    "val_f1": "F1 at the recommended threshold on the validation split",
    "val_ap50": "AP@0.5 on the validation split",
    "val_coco_map": "mAP@[.5:.95] on the validation split",
    "val_top1": "accuracy on the validation split",
    "val_top5": "accuracy on the validation split: among the five most probable",
    "val_loss": "loss on the validation split",
    "loss": "loss on the training split",
    "coord_xy": "its term for box centers",
    "coord_wh": "its term for box sizes",
    "confidence_obj": "its term for the confidence of responsible boxes",
    "confidence_noobj": "its term for the confidence of other boxes",
    "class_probs": "its term for class probabilities",
    "coord_iou": "its term for boxes, with `box_loss` ciou",
    "learning_rate": "learning rate of the last step",
    "seconds": "training time in seconds",
}
LEFT_OUT = {
    "data",
    "cache_gb",
    "num_workers",
    "max_image_pixels",
    "steps_per_execution",
    "tensorboard",
    "C",
}
"""Settings that do not affect the model, or that are elsewhere on the card."""
_MARKDOWN = re.compile(r"([\\`*{}\[\]<>|!~]|(?<![^\W_])_|_(?![^\W_])|^[#+-])")


def plain(line: str) -> str:
    r"""Returns a line escaped for Markdown, so that it is shown as it is.

    Class and file names come from other people and must not become links or pictures.

    Example:
        >>> print(plain("class_1 '![x](http://y)'"))
        class_1 '\!\[x\](http://y)'
    """
    return _MARKDOWN.sub(r"\\\1", " ".join(line.split()))


def summary(metadata: dict[str, Any]) -> str:
    """Returns a description of a model in one line.

    Args:
        metadata: of its checkpoint
    """
    settings, metrics = metadata["settings"], metadata.get("metrics", {})
    if _is_keras(metadata):
        origin = metadata.get("origin", settings["network"])
        return f"{origin} for {metadata['kind']}, {len(metadata['classes'])} classes"
    is_classifier = _is_classifier(metadata)
    text = (
        f"{'classifier of ' if is_classifier else ''}{settings['network']} for "
        f"{len(metadata['classes'])} classes, {settings['image_size']} px, "
    )
    if not is_classifier:
        text += f"{settings['S']} x {settings['S']} cells, "
    images, dataset = (metadata.get(name, "?") for name in ("images", "dataset"))
    text += metadata.get("origin", f"trained on {images} images of '{dataset}'")
    if metrics.get("val_voc07") is not None:
        text += f"; {metric_names.label('val_voc07')} {metrics['val_voc07']:.3f}"
    return text


def _is_keras(metadata: dict[str, Any]) -> bool:
    """Returns whether the network is one of `from_keras`."""
    return run_json.task_of(metadata) == run_json.KERAS


def _is_classifier(metadata: dict[str, Any]) -> bool:
    return run_json.task_of(metadata) == run_json.CLASSIFY


def text(name: str, metadata: dict[str, Any]) -> str:
    """Returns a model card.

    Args:
        name: of the model in the zoo
        metadata: of its checkpoint
    """
    parts = [_head(name, metadata), _predictions(metadata)]
    if "run_key" in metadata:
        parts += [_data(metadata), _training(metadata), _metrics(metadata)]
    parts.append(["All settings, and digests of images and labels, are in `run.json`."])
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(name: str, metadata: dict[str, Any]) -> list[str]:
    return [
        f"# {name}",
        "",
        f"{plain(summary(metadata))}.",
        "",
        "```python",
        "import fiftyone.zoo as foz",
        "",
        f'model = foz.load_zoo_model("{name}")',
        'dataset.apply_model(model, label_field="predictions", batch_size=16)',
        "```",
    ]


def _predictions(metadata: dict[str, Any]) -> list[str]:
    settings = metadata["settings"]
    if _is_keras(metadata):
        height, width = settings["size"]
        return [
            "## Predictions",
            "",
            f"- classes: {plain(', '.join(metadata['classes']))}",
            f"- images of any shape are resized to {width} x {height} px",
        ]
    resized = "resized"
    if settings.get("letterbox"):
        resized = "letterboxed (aspect ratio kept, gray beside them)"
    lines = [
        "## Predictions",
        "",
        f"- classes: {plain(', '.join(metadata['classes']))}",
        f"- images of any shape are {resized} to {settings['image_size']} x "
        f"{settings['image_size']} px",
    ]
    if tiles := settings.get("tiles"):
        lines.append(
            f"- {tiles} x {tiles} overlapping tiles of each image are predicted too, "
            "for small objects"
        )
    if _is_classifier(metadata):
        return [*lines, "- one class per image, with its probability as confidence"]
    S, B = settings["S"], settings["B"]
    return [
        *lines,
        f"- grid: {S} x {S} cells, each with {B} boxes of one class; of objects whose "
        "centers are in the same cell it finds only one, so small objects in groups "
        "are missed",
        "- confidences start at 0.01, which a correct mAP needs; for viewing, start at "
        f"{_viewing(metadata)}",
    ]


def _viewing(metadata: dict[str, Any]) -> str:
    """Returns the recommended threshold, with what it shows."""
    point = OperatingPoint.from_json(metadata.get("operating_point") or {})
    if math.isnan(point.thresh):
        return "about 0.2"
    return (
        f"{point.thresh:.3g}: on the validation split this has a precision of "
        f"{point.precision:.2f} and a recall of {point.recall:.2f}"
    )


def _data(metadata: dict[str, Any]) -> list[str]:
    noun = "labels" if _is_classifier(metadata) else "objects"
    lines = [
        f"- {_value(metadata, 'images')} images with {_value(metadata, 'objects')} "
        f"{noun}: dataset '{_value(metadata, 'dataset')}', field "
        f"'{_value(metadata, 'gt_field')}'",
        f"- validation split: {metadata.get('val_images') or 'no'} images",
    ]
    for reason, count in metadata.get("dropped", {}).items():
        if count:
            parts = "labels" if _is_classifier(metadata) else "boxes"
            lines.append(f"- {count} {parts} left out: {reason.replace('_', ' ')}")
    if metadata.get("skipped"):
        lines.append(f"- {metadata['skipped']} images left out: they could not be read")
    return ["## Training data", "", *lines]


def _training(metadata: dict[str, Any]) -> list[str]:
    settings = metadata["settings"]
    paper = json.loads(json.dumps(asdict(TrainConfig())))
    changed = {
        key: value
        for key, value in settings.items()
        if key in paper and key not in LEFT_OUT and value != paper[key]
    }
    versions = ", ".join(f"{k} {v}" for k, v in metadata.get("versions", {}).items())
    lines = [
        f"- run '{_value(metadata, 'run_key')}', epoch {_value(metadata, 'epoch')} of "
        f"{_value(settings, 'epochs')}",
        f"- on {_value(metadata, 'device')}; {versions}",
    ]
    if parent := parent_text(metadata):
        lines.append(f"- Started from {parent}")
    if _is_classifier(metadata):  # the paper does not tell its settings
        return ["## Training", "", *lines]
    table = ["| setting | here | paper |", "|---|---|---|"]
    for key, value in changed.items():
        table.append(f"| {key} | {_cell(value)} | {_cell(paper[key])} |")
    return ["## Training", "", *lines, "", *table]


def parent_text(metadata: dict[str, Any], escape: Callable[[str], str] = plain) -> str:
    """Returns what the training started from, without folders of this machine.

    Args:
        metadata: of a checkpoint, or the record of a run
        escape (`plain`): of names, which come from other people
    """
    parent = metadata.get("parent") or {"weights": metadata.get("weights")}
    given, run_key, dataset, digest = (
        parent.get(name) for name in ("weights", "run_key", "dataset", "digest")
    )
    if not given:
        return ""
    *folders, name = [part for part in re.split(r"[/\\]", given) if part] or ["?"]
    if run_key and (folders or name == run_key):
        text = f"run '{escape(run_key)}'"
    else:
        is_checkpoint = folders and re.fullmatch(r"epoch_\d+", name)
        text = f"'{escape(folders[-1] if is_checkpoint else name)}'"
        text += f", run '{escape(run_key)}'" if run_key else ""
    text += f" of dataset '{escape(dataset)}'" if run_key and dataset else ""
    return text + (f", sha256 {digest[:12]}" if digest else "")


def _metrics(metadata: dict[str, Any]) -> list[str]:
    return [
        "## Metrics of this epoch",
        "",
        "| metric | value | |",
        "|---|---|---|",
        *(
            f"| {key} | {value:.4g} | {description} |"
            for key, value, description in _metric_rows(metadata)
        ),
    ]


def _metric_rows(metadata: dict[str, Any]) -> Iterator[tuple[str, float, str]]:
    metrics = metadata.get("metrics", {})
    for key in [*METRICS, *(key for key in metrics if key not in METRICS)]:
        if isinstance(metrics.get(key), int | float):
            yield key, metrics[key], METRICS.get(key, "")


def _value(metadata: dict[str, Any], key: str) -> str:
    return plain(str(metadata.get(key, "?")))


def _cell(value: Any) -> str:
    if value == []:
        return "none"
    text = str(value)
    return plain(f"{text[:97]}..." if len(text) > 100 else text)
