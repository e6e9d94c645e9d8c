"""Writes and checks the manifest of a published model, which FiftyOne's zoo reads.

It is checked because one manifest that was edited by hand can prevent FiftyOne from
listing any model.
"""

import contextlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone.core.utils as fou

from yolov1_fo import zoo
from yolov1_fo.datasets import database_uri
from yolov1_fo.publishing import model_card
from yolov1_fo.runs import checkpoint, run_json

PUBLISHED = "yolov1-published"
FILE = "manifest.json"
DEPLOYED = {
    "detect": {"type": "yolov1_fo.model.YOLOv1Model", "config": {}},
    "classify": {"type": "yolov1_fo.model.YOLOv1Classifier", "config": {}},
    "keras": {"type": "yolov1_fo.model.KerasTaskModel", "config": {}},
}
"""What FiftyOne builds a model from, by its task."""
TAGS = ("tf", "tf2", "published")
"""FiftyOne's tags for all published models."""
OUR_TAGS = ("embeddings", "logits", "yolo", "yolov1")
"""More of them for our networks."""
TASK_TAGS = {"detect": "detection", "classify": "classification"}
NO_FILE = f"its {FILE} is not a file"

FALLBACK_MODULE = '''"""FiftyOne calls this if the model has lost its weights."""


def download_model(model_name, model_path):
    raise FileNotFoundError(
        f"published model '{model_name}' is damaged: '{model_path}' does not exist or "
        "its manifest.json was changed; unpublish it, then publish it again"
    )


def load_model(model_name, model_path, **settings):
    download_model(model_name, model_path)
'''


class Credits(NamedTuple):
    """What FiftyOne shows about the origin of a model.

    Attributes:
        author: of the model
        license: of the model
        data_url: address of the training data; None if unknown
    """

    author: str
    license: str
    data_url: str | None


def write(folder: Path, name: str, metadata: dict[str, Any], credits: Credits) -> None:
    """Writes the manifest next to the network of a published model.

    Args:
        folder: with the network
        name: in the zoo
        metadata: of its checkpoint
        credits: its origin
    """
    size = (folder / checkpoint.NETWORK).stat().st_size
    task = run_json.task_of(metadata)
    content = {
        "name": f"{PUBLISHED}/{name}",
        "models": [
            {
                "base_name": name,
                "base_filename": checkpoint.NETWORK,
                "version": None,
                "description": model_card.summary(metadata),
                "source": zoo.SOURCE,
                "author": credits.author,
                "license": credits.license,
                "size_bytes": size,
                "default_deployment_config_dict": DEPLOYED[task],
                "requirements": zoo.requirements(),
                "tags": _tags(metadata),
                "training_data": [
                    {
                        "name": metadata.get("dataset", "unknown"),
                        "url": credits.data_url,
                    }
                ],
                "date_added": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
            }
        ],
    }
    text = json.dumps(content, indent=2)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")
    (folder / "__init__.py").write_text(FALLBACK_MODULE, encoding="utf-8")


def _tags(metadata: dict[str, Any]) -> list[str]:
    """Returns FiftyOne's tags for a model: what it is for first, then its dataset."""
    task, dataset = run_json.task_of(metadata), []
    with contextlib.suppress(ValueError):  # a name without letters and digits of ASCII
        dataset = [fou.to_slug(str(metadata.get("dataset", "")))]
    if task == run_json.KERAS:
        can = {
            "embeddings": metadata.get("has_embeddings"),
            "logits": metadata["kind"] == "classification",
        }
        more = [name for name, is_there in can.items() if is_there]
        return [metadata["kind"], *dataset, *more, "keras", *TAGS]
    return [TASK_TAGS[task], *dataset, *OUR_TAGS, *TAGS]


def fault(folder: Path) -> str:
    """Returns why a published model can't be loaded; empty if it can."""
    if not (folder / FILE).is_file():
        return NO_FILE
    try:
        task = run_json.task_of(
            checkpoint.read_own_metadata(checkpoint.resolve(folder))
        )
        models = run_json.read_json(folder / FILE).get("models")
    except (OSError, ValueError) as error:
        return database_uri.one_line(error)
    is_ours = _is_ours(models, folder.name, task)
    return "" if is_ours else f"its {FILE} was changed"


def _is_ours(models: Any, name: str, task: str) -> bool:
    if not isinstance(models, list) or len(models) != 1:
        return False
    [model] = models
    return (
        isinstance(model, dict)
        and model.get("base_name") == name
        and model.get("base_filename") == checkpoint.NETWORK
        and model.get("default_deployment_config_dict") == DEPLOYED[task]
        and isinstance(model.get("tags"), list)
        and all(isinstance(tag, str) for tag in model["tags"])
    )
