"""Whether a network can start from other weights: their layers must match.

Compares settings, so that no network is built. Never imports Keras.
"""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from yolov1_fo import architectures
from yolov1_fo.config import NetworkConfig
from yolov1_fo.config.network import grid_sizes
from yolov1_fo.runs.recipe_settings import NOTHING, Draft
from yolov1_fo.training.starting_weights import CLASSIFIER, DETECTOR, Source


def check_network(network: str) -> None:
    """Raises a ValueError if a network can't start from a classifier of `pretrain`."""
    known = architectures.NETWORKS.get(network)
    if known and known.backbone:
        names = ", ".join(architectures.layer_table_networks())
        raise ValueError(
            f"{network} has a pretrained backbone; to pretrain a classifier, or to "
            f"start from one, choose network= among {names}"
        )


def draft(
    given: Mapping[str, Any],
    classes: int,
    source: Source | None = None,
    defaults: Mapping[str, Any] = NOTHING,
) -> Draft:
    """Returns the draft of a training, with the layers of what it starts from.

    Args:
        given: settings of the caller
        classes: number of classes
        source (None): what it starts from; None for the network's own weights
        defaults (none): settings that replace the recipe's

    Raises:
        ValueError: if a setting is unknown or invalid, or the source does not fit
        ImportError: if a setting needs a package that is not installed
    """
    if source is None:
        return Draft.make(given, classes, defaults=defaults)
    defaults = {**defaults, **layer_settings(source, given)}
    made = Draft.make(given, classes, start=source.start, defaults=defaults)
    check(source, made.config)
    return made


def layer_settings(source: Source, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of the network of a training, before the caller's.

    They are those of a detector that it starts from, with its tiles; of a classifier,
    the network and its batch normalization. The weights of a transfer network
    fit other image sizes too; then S follows from the output stride.

    Args:
        source: from `source`
        given: settings of the caller, which replace these

    Raises:
        ValueError: if the caller's network is another than the detector's
    """
    if source.kind == CLASSIFIER:
        return {name: source.settings[name] for name in ("network", "batch_norm")}
    if source.kind != DETECTOR:
        return {}
    theirs, settings = source.config, dict(source.settings)
    if source.tiles:
        settings["tiles"] = source.tiles
    network = given.get("network", theirs.network)
    if network != theirs.network and network in tuple(architectures.NETWORKS):
        raise ValueError(_mismatch(source, f"network {network}", ["network"]))
    size = given.get("image_size")
    if theirs.has_backbone and isinstance(size, Integral):
        place = {64: 0, 32: 1, 16: 2}[_stride(theirs)]
        settings["S"] = max(grid_sizes(theirs.network, int(size))[place], 1)
    return settings


def class_changes(
    theirs: Sequence[str], ours: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Returns the classes that start anew, and those that are dropped.

    Args:
        theirs: classes of the detector that a training starts from
        ours: classes of the training

    Example:
        >>> class_changes(["cat", "dog"], ["dog", "fox"])
        (['fox'], ['cat'])
    """
    known, kept = set(theirs), set(ours)
    new = [name for name in ours if name not in known]
    return new, [name for name in theirs if name not in kept]


def check(source: Source, config: NetworkConfig) -> None:
    """Raises a ValueError unless a network can start from a source.

    A detector must have the same layers, but for the number of classes, and predict
    boxes and classes in the same way. The weights of a transfer network do not depend
    on the image size, so only its output stride must be the same.

    Args:
        source: from `source`
        config: of the training
    """
    if source.kind == DETECTOR:
        _check_detector(source, config)
        return
    check_network(config.network)
    if source.kind == CLASSIFIER and (
        _first_layers(source.config) != _first_layers(config)
    ):
        raise ValueError(
            f"weights '{source.path}' were pretrained as "
            f"{description(source.config)}; they fit networks with the same first "
            f"layers, got {description(config)}"
        )


def _first_layers(config: NetworkConfig) -> Any:
    """Returns pixel range and layers that a network shares with its classifier."""
    architecture = architectures.NETWORKS[config.network]
    layers = architectures.classifier_layers(architecture)
    return architecture.input_range, architectures.with_batch_norm(
        layers, batch_norm=config.batch_norm
    )


def description(config: NetworkConfig) -> str:
    """Returns the settings that the first layers of a network depend on, as text."""
    return f"{config.network} with batch_norm={config.batch_norm}"


def _check_detector(source: Source, config: NetworkConfig) -> None:
    theirs = source.config
    if names := _differences(theirs, config):
        raise ValueError(_mismatch(source, _values(config, names), names))


def _mismatch(source: Source, needs: str, names: list[str]) -> str:
    has = _values(source.config, names)
    return (
        f"weights '{source.weights}' must fit the training, which has {needs}; got "
        f"{has}"
    )


def _values(config: NetworkConfig, names: list[str]) -> str:
    return ", ".join(f"{name} {getattr(config, name)}" for name in names)


def _differences(theirs: NetworkConfig, ours: NetworkConfig) -> list[str]:
    """Returns the settings because of which one detector can't start from another."""
    if theirs.network != ours.network:
        return ["network"]
    names = ["B", "sqrt", "softmax"]
    if ours.has_backbone:
        names += ["batch_norm", "head_filters", "separable_head", "output_activation"]
        grid = ["image_size", "S"] if _stride(theirs) != _stride(ours) else []
    else:
        names += ["image_size", "S"]
        names += ["batch_norm"] if _table(theirs) != _table(ours) else []
        grid = []
    return grid + [
        name for name in names if getattr(theirs, name) != getattr(ours, name)
    ]


def _table(config: NetworkConfig) -> tuple[architectures.Layer, ...]:
    layers = architectures.NETWORKS[config.network].layers
    return architectures.with_batch_norm(layers, batch_norm=config.batch_norm)


def _stride(config: NetworkConfig) -> int:
    """Returns the output stride of a transfer network: 16, 32 or 64."""
    coarse = config.S not in config.grid_sizes[1:]
    return 64 if coarse else config.backbone_stride
