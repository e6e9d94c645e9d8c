"""`train(weights=)`: the pretrained classifier whose first layers a detector takes."""

import os
from pathlib import Path
from typing import Any

import fiftyone as fo
import keras

from yolov1_fo import architectures, files
from yolov1_fo.config import NetworkConfig, TrainConfig, arguments
from yolov1_fo.networks import darknet_header, darknet_weights, keras_file, parts
from yolov1_fo.runs import checkpoint, registry
from yolov1_fo.training.tasks import CLASSIFY


def check_network(network: str) -> None:
    """Raises a ValueError if a network can't start from a classifier of `pretrain`."""
    known = architectures.NETWORKS.get(network)
    if known and known.backbone:
        names = ", ".join(architectures.layer_table_networks())
        raise ValueError(
            f"{network} has a pretrained backbone; to pretrain a classifier, or to "
            f"start from one, choose network= among {names}"
        )


def find(
    dataset: fo.Dataset, weights: str | os.PathLike[str], config: TrainConfig
) -> Path:
    """Returns the checkpoint folder or `.weights` file of a classifier.

    Args:
        dataset: that has the run, if `weights` is a run key
        weights: a `.weights` file, a run's key or folder, or a checkpoint's folder
        config: of the training; its network must start with the same layers

    Raises:
        FileNotFoundError: if there is no such file, folder or run
        ValueError: if the classifier does not fit
    """
    name = arguments.check_path_or_name("weights", weights)
    path = Path(name).absolute()
    if files.is_file(path):
        darknet_header.read_header(path)
        return path
    if registry.exists(dataset, name):
        path = Path(registry.existing_folder(dataset, name))
    if not files.is_folder(path):
        has = ", ".join(registry.keys(dataset)) or "none"
        raise FileNotFoundError(
            f"weights {name!r} is not a file, a folder or a run of dataset "
            f"'{dataset.name}'; training runs: {has}"
        )
    folder = checkpoint.resolve(path)
    metadata = checkpoint.read_metadata(folder, CLASSIFY.name)
    theirs = NetworkConfig.pick(metadata["settings"])
    if _first_layers(theirs) != _first_layers(config):
        raise ValueError(
            f"weights '{folder}' were pretrained as {_description(theirs)}; they fit "
            f"networks with the same first layers, got {_description(config)}"
        )
    return folder


def of_run(run: Any, run_key: str, folder: Path) -> Path | None:
    """Returns the starting weights of a run to resume; None if it does not need them.

    A run needs them as long as it has no checkpoint.

    Raises:
        FileNotFoundError: if they were deleted
    """
    weights = getattr(run, "weights", None)
    if weights is None or checkpoint.read_pointer(folder, "last"):
        return None
    if not Path(weights).exists():
        raise FileNotFoundError(
            f"run '{run_key}' starts from weights '{weights}', which do not exist"
        )
    return Path(weights)


def load_into(network: keras.Model, weights: Path, config: TrainConfig) -> None:
    """Copies the layers of a classifier into a detector.

    Args:
        network: of the detector
        weights: from `find`
        config: of the training

    Raises:
        ValueError: if they do not fit
    """
    if weights.is_file():
        try:
            darknet_weights.read(weights, network, partial=True)
        except ValueError as error:
            raise ValueError(
                f"{error}; it was read as {_description(config)}"
            ) from None
        return
    classifier = keras_file.load(weights / checkpoint.NETWORK)
    try:
        parts.copy_backbone(classifier, network)
    except ValueError as error:
        raise ValueError(f"weights '{weights}' do not fit: {error}") from None


def _first_layers(config: NetworkConfig) -> Any:
    """Returns pixel range and layers that a network shares with its classifier."""
    architecture = architectures.NETWORKS[config.network]
    layers = architectures.classifier_layers(architecture)
    return architecture.input_range, architectures.with_batch_norm(
        layers, batch_norm=config.batch_norm
    )


def _description(config: NetworkConfig) -> str:
    return f"{config.network} with batch_norm={config.batch_norm}"
