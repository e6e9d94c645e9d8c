"""`train(weights=)`: finds what a network starts from.

`matching_layers` checks that it fits, `weight_loading` loads it. Never imports Keras.
"""

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone as fo

from yolov1_fo import files, zoo
from yolov1_fo.config import NetworkConfig, arguments
from yolov1_fo.evaluation import average_precision
from yolov1_fo.model import darknet_releases
from yolov1_fo.networks import darknet_header
from yolov1_fo.publishing import local_zoo, model_sources
from yolov1_fo.runs import checkpoint, registry, run_json
from yolov1_fo.training.tasks import CLASSIFY, DETECT

DETECTOR, CLASSIFIER, DARKNET = "detector", "classifier", "darknet"
KINDS = {DETECT.name: DETECTOR, CLASSIFY.name: CLASSIFIER}
"""Kind of a source, by the task of its checkpoint."""


class Source(NamedTuple):
    """What a network starts from.

    Attributes:
        weights: as the caller wrote it
        path: a checkpoint folder, or a `.weights` file of Darknet
        kind: detector, classifier (of `pretrain`) or darknet (a `.weights` file, which
            may end after any layer)
        classes: of the detector or classifier; none for darknet
        settings: of its `NetworkConfig`, but for C; none for darknet
        tiles: number of tiles per side that it was trained on
        digest: sha256 of `file`, in hexadecimal; empty if it was not read
        run_key: of the run that trained it, if known
        dataset: name of this run's dataset, if known
    """

    weights: str
    path: Path
    kind: str
    classes: list[str]
    settings: dict[str, Any]
    digest: str = ""
    run_key: str | None = None
    dataset: str | None = None
    tiles: int = 0

    @property
    def file(self) -> Path:
        """The file with the weights."""
        return self.path / checkpoint.NETWORK if self.path.is_dir() else self.path

    @property
    def start(self) -> str:
        """What the training starts from, as `recipes.choose` calls it."""
        return DETECTOR if self.kind == DETECTOR else CLASSIFIER

    @property
    def config(self) -> NetworkConfig:
        """The settings of the detector or classifier."""
        return NetworkConfig(**self.settings, C=len(self.classes))

    def record(self) -> dict[str, str | None]:
        """Returns the part `parent` of a run and its checkpoints, as JSON."""
        return {
            "weights": self.weights,
            "run_key": self.run_key,
            "dataset": self.dataset,
            "checkpoint": str(self.path),
            "digest": self.digest,
        }


def source(dataset: fo.Dataset | None, weights: str | os.PathLike[str]) -> Source:
    """Returns what a training starts from; reads the file for its digest.

    Args:
        dataset: where to look up a run key; None looks up none
        weights: a `.weights` file, the key or folder of a run of `train` or `pretrain`,
            a checkpoint's folder, or the name of a published or included model or of
            released weights, which are downloaded if necessary

    Raises:
        FileNotFoundError: if there is no such file, folder, run or model
        ValueError: if it can't be read, or is an untrained network
        TypeError: if it is neither a path nor a name
        OSError: if it can't be downloaded
    """
    found = find(dataset, weights)
    return found._replace(digest=digest(found.file))


def find(dataset: fo.Dataset | None, weights: str | os.PathLike[str]) -> Source:
    """Returns what a training starts from, without its digest.

    It takes milliseconds, unlike `source`, whose arguments and errors it has.
    """
    name = arguments.check_path_or_name("weights", weights)
    if files.is_file(name):
        darknet_header.read_header(name)
        return Source(name, Path(name).absolute(), DARKNET, [], {})
    check_exists(dataset, name)
    found = model_sources.find_config(name, dataset)
    if "checkpoint_dir" in found:
        return _of_checkpoint(name, Path(found["checkpoint_dir"]).absolute())
    if "released" in found:
        return _of_release(name, found["released"])
    network = found["settings"]["network"]
    raise ValueError(
        f"weights {name!r} is an untrained network; pass network='{network}' instead"
    )


def check_exists(dataset: fo.Dataset | None, name: str) -> None:
    """Raises a FileNotFoundError unless a name is a folder, a run or a model.

    Args:
        dataset: where to look up a run key; None looks up none
        name: from the caller
    """
    if files.is_folder(name) or local_zoo.folder_of(name) or name in zoo.entries():
        return
    line = f"weights {name!r} is not a file, a folder or "
    published = ", ".join(local_zoo.names()) or "none"
    if dataset is None:
        line += f"a published model; published models: {published}"
    elif registry.exists(dataset, name):
        return
    else:
        runs = ", ".join(registry.keys(dataset)) or "none"
        line += (
            f"a run of dataset '{dataset.name}', nor a published model; training runs: "
            f"{runs}; published models: {published}"
        )
    raise FileNotFoundError(line)


def _of_checkpoint(name: str, folder: Path) -> Source:
    metadata, path = checkpoint.read_metadata(folder), folder / checkpoint.METADATA
    task = metadata.get("task", DETECT.name)
    run_json.check(path, metadata, task)
    if task not in KINDS:
        raise ValueError(
            f"weights '{name}' must come from train or pretrain, got those of "
            "from_keras"
        )
    classes, settings = metadata["classes"], metadata["settings"]
    if settings.get("C", len(classes)) != len(classes):
        raise ValueError(
            f"checkpoint '{folder}' must have {settings['C']} classes, "
            f"got {len(classes)}"
        )
    try:
        config = NetworkConfig.pick({**settings, "C": len(classes)})
    except ValueError as error:
        raise ValueError(f"'{path}' has invalid settings: {error}") from None
    return Source(
        *(name, folder, KINDS[task], classes, _without_classes(config)),
        run_key=metadata.get("run_key"),
        dataset=metadata.get("dataset"),
        tiles=settings.get("tiles", 0),
    )


def _of_release(name: str, released: str) -> Source:
    path = darknet_releases.zoo_path(released)
    if not path.is_file():
        darknet_releases.fetch(released, path)
    settings = darknet_releases.network_settings(released, path)
    classes = list(average_precision.CLASSES)
    config = NetworkConfig(**settings, C=len(classes))
    return Source(name, path, DETECTOR, classes, _without_classes(config))


def _without_classes(config: NetworkConfig) -> dict[str, Any]:
    return {name: value for name, value in asdict(config).items() if name != "C"}


def digest(file: Path) -> str:
    """Returns the sha256 of a file with weights, in hexadecimal.

    Raises:
        FileNotFoundError: if it was deleted
        OSError: if it can't be read
    """
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except FileNotFoundError:
        raise FileNotFoundError(f"'{file}' was deleted while it was read") from None
    except OSError as error:
        raise type(error)(f"'{file}' can't be read: {error.strerror}") from None


def of_run(dataset: fo.Dataset, run: Any, run_key: str, folder: Path) -> Source | None:
    """Returns what a run to resume starts from; None if it does not need it.

    A run needs it as long as it has no checkpoint.

    Args:
        dataset: that the run belongs to
        run: its record
        run_key: its name
        folder: of its files

    Raises:
        FileNotFoundError: if it was deleted
        ValueError: if it has changed since the run started
    """
    parent = parent_of(run)
    if parent is None or checkpoint.read_pointer(folder, "last"):
        return None
    weights, path = parent["weights"], Path(parent["checkpoint"])
    if not path.exists():
        raise FileNotFoundError(
            f"run '{run_key}' starts from weights '{path}', which do not exist"
        )
    is_release = weights in darknet_releases.RELEASES
    found = source(dataset, weights if is_release else path)
    if parent["digest"] not in (None, found.digest):
        raise ValueError(
            f"run '{run_key}' starts from weights '{path}', which have changed since; "
            "start a new run"
        )
    return found._replace(weights=weights)


def parent_of(run: Any) -> dict[str, Any] | None:
    """Returns the part `parent` of a run's record; None if it started from nothing.

    An earlier version stored only the path.
    """
    weights = getattr(run, "weights", None)
    if parent := getattr(run, "parent", None):
        return dict(parent)
    if weights is None:
        return None
    unknown = dict.fromkeys(("run_key", "dataset", "digest"))
    return {"weights": weights, "checkpoint": weights, **unknown}
