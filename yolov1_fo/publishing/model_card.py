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


def sentence(card: dict[str, Any]) -> str:
    """Returns what a model is, in one line.

    Args:
        card: what `run.json` of its checkpoint says
    """
    settings, metrics = card["settings"], card.get("metrics", {})
    text = (
        f"{settings['network']} for {len(card['classes'])} classes, "
        f"{settings['image_size']} px, {settings['S']} x {settings['S']} cells, "
    )
    text += card.get(
        "origin",
        f"trained on {card.get('images', '?')} images of '{card.get('dataset', '?')}'",
    )
    if metrics.get("val_voc07") is not None:
        text += f"; VOC07 mAP@0.5 {metrics['val_voc07']:.3f}"
    return text


def text(name: str, card: dict[str, Any]) -> str:
    """Returns a model card.

    Args:
        name: of the model in the zoo
        card: what `run.json` of its checkpoint says
    """
    parts = [_head(name, card), _finds(card)]
    if "run_key" in card:
        parts += [_data(card), _training(card), _measured(card)]
    parts.append(["Every setting, and digests of images and labels: `run.json`."])
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(name: str, card: dict[str, Any]) -> list[str]:
    return [
        f"# {name}",
        "",
        f"{plain(sentence(card))}.",
        "",
        "```python",
        "import fiftyone.zoo as foz",
        "",
        f'model = foz.load_zoo_model("{name}")',
        'dataset.apply_model(model, label_field="predictions", batch_size=16)',
        "```",
    ]


def _finds(card: dict[str, Any]) -> list[str]:
    settings = card["settings"]
    S, B = settings["S"], settings["B"]
    return [
        "## What it finds",
        "",
        f"- classes: {plain(', '.join(card['classes']))}",
        f"- grid: {S} x {S} cells, each with {B} boxes of one class; of objects whose "
        "centres share a cell it finds one, so small things in groups are lost",
        f"- images of any shape are resized to {settings['image_size']} px a side",
        "- predictions go down to a confidence of 0.01, for a true mAP; to look at, "
        "show those from about 0.2 on",
    ]


def _data(card: dict[str, Any]) -> list[str]:
    lines = [
        f"- {_said(card, 'images')} images with {_said(card, 'objects')} objects: "
        f"dataset '{_said(card, 'dataset')}', field '{_said(card, 'gt_field')}'",
        f"- measured on {card.get('val_images') or 'no'} others",
    ]
    for why, count in card.get("dropped", {}).items():
        if count:
            lines.append(f"- {count} boxes left out: {why.replace('_', ' ')}")
    if card.get("skipped"):
        lines.append(f"- {card['skipped']} images left out: they could not be read")
    return ["## What it learned from", "", *lines]


def _training(card: dict[str, Any]) -> list[str]:
    settings = card["settings"]
    paper = json.loads(json.dumps(asdict(TrainConfig())))
    changed = {
        key: value
        for key, value in settings.items()
        if key in paper and key not in LEFT_OUT and value != paper[key]
    }
    versions = ", ".join(f"{k} {v}" for k, v in card.get("versions", {}).items())
    lines = [
        f"- run '{_said(card, 'run_key')}', epoch {_said(card, 'epoch')} of "
        f"{_said(settings, 'epochs')}",
        f"- on {_said(card, 'device')}; {versions}",
    ]
    if card.get("backbone"):
        lines.append(f"- its backbone from '{_said(card, 'weights')}'")
    table = ["| setting | here | paper |", "|---|---|---|"]
    for key, value in changed.items():
        table.append(f"| {key} | {_cell(value)} | {_cell(paper[key])} |")
    return ["## How it learned", "", *lines, "", *table]


def _measured(card: dict[str, Any]) -> list[str]:
    return [
        "## Figures of this epoch",
        "",
        "| metric | value | |",
        "|---|---|---|",
        *(f"| {key} | {value:.4g} | {said} |" for key, value, said in _figures(card)),
    ]


def _figures(card: dict[str, Any]) -> Iterator[tuple[str, float, str]]:
    metrics = card.get("metrics", {})
    for key in [*METRICS, *(key for key in metrics if key not in METRICS)]:
        if isinstance(metrics.get(key), int | float):
            yield key, metrics[key], METRICS.get(key, "")


def _said(card: dict[str, Any], key: str) -> str:
    return plain(str(card.get(key, "?")))


def _cell(value: Any) -> str:
    said = str(value)
    return (
        "none" if value == [] else plain(f"{said[:97]}..." if len(said) > 100 else said)
    )
