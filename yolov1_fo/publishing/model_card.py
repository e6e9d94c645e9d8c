"""The card of a published model: what its run tells, in Markdown for people."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from yolov1_fo.config import TrainConfig

METRICS = {
    "val_voc07": "VOC07 mAP at IoU 0.5, on the images to measure on",
    "val_loss": "loss on them",
    "loss": "loss on the images to learn from",
    "coord_xy": "of which boxes' centres",
    "coord_wh": "boxes' sizes",
    "confidence_obj": "confidence of responsible boxes",
    "confidence_noobj": "confidence of the others",
    "class_probs": "classes",
    "seconds": "seconds of the whole training",
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
"""Settings that say how a training ran, or that stand elsewhere on the card."""
_MARKDOWN = re.compile(r"([\\`*{}\[\]<>|!~]|(?<![^\W_])_|_(?![^\W_])|^[#+-])")


def plain(line: str) -> str:
    r"""Returns a line so that what reads Markdown shows it as it is.

    Names of classes and files are other people's: they make no links or pictures.

    Example:
        >>> print(plain("class_1 '![x](http://y)'"))
        class_1 '\!\[x\](http://y)'
    """
    return _MARKDOWN.sub(r"\\\1", " ".join(line.split()))


def sentence(metadata: dict[str, Any]) -> str:
    """Returns what a model is, in one line.

    Args:
        metadata: what `run.json` of its checkpoint says
    """
    settings, metrics = metadata["settings"], metadata.get("metrics", {})
    text = (
        f"{settings['network']} for {len(metadata['classes'])} classes, "
        f"{settings['image_size']} px, {settings['S']} x {settings['S']} cells, "
    )
    images, dataset = (metadata.get(name, "?") for name in ("images", "dataset"))
    text += metadata.get("origin", f"trained on {images} images of '{dataset}'")
    if metrics.get("val_voc07") is not None:
        text += f"; VOC07 mAP@0.5 {metrics['val_voc07']:.3f}"
    return text


def text(name: str, metadata: dict[str, Any]) -> str:
    """Returns a model card.

    Args:
        name: of the model in the zoo
        metadata: what `run.json` of its checkpoint says
    """
    parts = [_head(name, metadata), _finds(metadata)]
    if "run_key" in metadata:
        parts += [_data(metadata), _training(metadata), _measured(metadata)]
    parts.append(["Every setting, and digests of images and labels: `run.json`."])
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(name: str, metadata: dict[str, Any]) -> list[str]:
    return [
        f"# {name}",
        "",
        f"{plain(sentence(metadata))}.",
        "",
        "```python",
        "import fiftyone.zoo as foz",
        "",
        f'model = foz.load_zoo_model("{name}")',
        'dataset.apply_model(model, label_field="predictions", batch_size=16)',
        "```",
    ]


def _finds(metadata: dict[str, Any]) -> list[str]:
    settings = metadata["settings"]
    S, B = settings["S"], settings["B"]
    return [
        "## What it finds",
        "",
        f"- classes: {plain(', '.join(metadata['classes']))}",
        f"- grid: {S} x {S} cells, each with {B} boxes of one class; of objects whose "
        "centres share a cell it finds one, so small things in groups are lost",
        f"- images of any shape are resized to {settings['image_size']} px a side",
        "- predictions go down to a confidence of 0.01, for a true mAP; to look at, "
        "show those from about 0.2 on",
    ]


def _data(metadata: dict[str, Any]) -> list[str]:
    lines = [
        f"- {_said(metadata, 'images')} images with {_said(metadata, 'objects')} "
        f"objects: dataset '{_said(metadata, 'dataset')}', field "
        f"'{_said(metadata, 'gt_field')}'",
        f"- measured on {metadata.get('val_images') or 'no'} others",
    ]
    for why, count in metadata.get("dropped", {}).items():
        if count:
            lines.append(f"- {count} boxes left out: {why.replace('_', ' ')}")
    if metadata.get("skipped"):
        lines.append(f"- {metadata['skipped']} images left out: they could not be read")
    return ["## What it learned from", "", *lines]


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
        f"- run '{_said(metadata, 'run_key')}', epoch {_said(metadata, 'epoch')} of "
        f"{_said(settings, 'epochs')}",
        f"- on {_said(metadata, 'device')}; {versions}",
    ]
    if metadata.get("weights"):
        lines.append(f"- its backbone from '{_said(metadata, 'weights')}'")
    table = ["| setting | here | paper |", "|---|---|---|"]
    for key, value in changed.items():
        table.append(f"| {key} | {_cell(value)} | {_cell(paper[key])} |")
    return ["## How it learned", "", *lines, "", *table]


def _measured(metadata: dict[str, Any]) -> list[str]:
    return [
        "## Figures of this epoch",
        "",
        "| metric | value | |",
        "|---|---|---|",
        *(
            f"| {key} | {value:.4g} | {said} |"
            for key, value, said in _figures(metadata)
        ),
    ]


def _figures(metadata: dict[str, Any]) -> Iterator[tuple[str, float, str]]:
    metrics = metadata.get("metrics", {})
    for key in [*METRICS, *(key for key in metrics if key not in METRICS)]:
        if isinstance(metrics.get(key), int | float):
            yield key, metrics[key], METRICS.get(key, "")


def _said(metadata: dict[str, Any], key: str) -> str:
    return plain(str(metadata.get(key, "?")))


def _cell(value: Any) -> str:
    said = str(value)
    return (
        "none" if value == [] else plain(f"{said[:97]}..." if len(said) > 100 else said)
    )
