"""The settings of a new training: those given, the recipe's, and automatic ones.

Never imports Keras.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from numbers import Integral
from typing import Any, Self

from yolov1_fo import architectures
from yolov1_fo.config import MAX_EPOCHS, TrainConfig, recipes, spelling
from yolov1_fo.config.network import grid_sizes
from yolov1_fo.runs import automatic

logger = logging.getLogger(__name__)

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Draft:
    """The settings of a new training, before its images are read.

    Attributes:
        known: the network, the recipe, and all settings that are not the recipe's
        config: all settings; automatic ones have the recipe's value
    """

    known: dict[str, Any]
    config: TrainConfig

    @property
    def max_epochs(self) -> int:
        """Largest number of epochs of a training with `max_minutes`, else 0."""
        if not self.config.max_minutes:
            return 0
        return self.known.get("epochs", MAX_EPOCHS)

    @classmethod
    def make(
        cls,
        given: Mapping[str, Any],
        classes: int,
        *,
        start: str = "",
        defaults: Mapping[str, Any] = NOTHING,
    ) -> Self:
        """Returns the draft of a training.

        Args:
            given: settings from the caller
            classes: number of classes
            start (random weights): what the training starts from: a `classifier` or a
                `detector`
            defaults (none): settings that replace the recipe's, such as the layers of
                that detector

        Raises:
            ValueError: if a setting is unknown or invalid
            ImportError: if a setting needs a package that is not installed
        """
        TrainConfig.check_names(given, "C")
        known = {**defaults, **given}
        known.setdefault("network", recipes.default_network(known.get("recipe")))
        network = known["network"]
        spelling.check_choice("network", network, tuple(architectures.NETWORKS))
        known.setdefault("recipe", recipes.choose(network, start))
        spelling.check_choice("recipe", known["recipe"], tuple(recipes.RECIPES))
        settings = {**recipes.values(**known), **known}
        if automatic.is_automatic("S", known):
            settings["S"] = _possible_grid_size(settings)
        config = TrainConfig(C=classes, **settings)
        if config.tensorboard and find_spec("tensorboard") is None:
            raise ImportError(
                "tensorboard=True needs a package: pip install tensorboard"
            )
        return cls(known, config)

    def completed(self, facts: automatic.Facts) -> TrainConfig:
        """Returns the settings, with the automatic ones; logs these and the recipe."""
        config, reasons = self.preview(facts)
        logger.info(
            "%s with recipe '%s' at %d px on %s",
            *(config.network, config.recipe, config.image_size),
            "an accelerator" if facts.has_gpu else "the CPU",
        )
        for name, reason in reasons.items():
            logger.info("%s = %s: %s", name, getattr(config, name), reason)
        return config

    def preview(self, facts: automatic.Facts) -> tuple[TrainConfig, dict[str, str]]:
        """Returns the settings, and why each automatic one was chosen."""
        chosen, reasons = automatic.settings(self.known, facts)
        return replace(self.config, **chosen), reasons

    def is_automatic(self, name: str) -> bool:
        """Returns whether a setting is chosen for the images and the machine."""
        return automatic.is_automatic(name, self.known)


def _possible_grid_size(settings: Mapping[str, Any]) -> int:
    """Returns an S that the image size allows, the recipe's if it does."""
    size, S = settings["image_size"], settings["S"]
    sizes: tuple[int, ...] = ()
    if isinstance(size, Integral):
        sizes = grid_sizes(settings["network"], int(size))
    is_possible = not sizes or S in sizes or sizes[-1] < 1  # too small, refused later
    return S if is_possible else sizes[-1]
