"""Networks that build and train in seconds."""

from typing import Any

import numpy as np

from yolov1_fo.architectures import (
    Architecture,
    Connected,
    Conv,
    Dropout,
    LocalConv,
    Pool,
)

MICRO = Architecture(
    (
        *(Conv(8, 3, 2), Pool()),
        *(Conv(16, 3), Pool()),
        *(Conv(32, 3), Connected(64), Dropout()),
    )
)

SETTINGS: dict[str, Any] = {
    "network": "micro",
    "recipe": "paper",
    "image_size": 32,
    "S": 2,
    "dropout": 0.0,
    "batch_size": 2,
    "learning_rate": 1e-3,
    "progress": False,
}
"""Of a training of `MICRO` that takes seconds."""


def _darknet(batch_norm: bool) -> Architecture:
    """Every kind of layer of Darknet's; tests/golden/darknet has its numbers."""
    return Architecture(
        (
            *(Conv(8, 7, 2, batch_norm), Pool()),
            *(Conv(6, 1, 1, batch_norm), Conv(12, 3, 1, False)),
            *(Conv(10, 3, 2, batch_norm), LocalConv(5, 3), Dropout(), Connected(24)),
        ),
        input_range=(0.0, 1.0),
    )


GOLDEN = {"micro": _darknet(True), "micro_nobn": _darknet(False)}


def lived_in(net: Any) -> Any:
    """Returns the network with statistics and weights as a training leaves them."""
    rng = np.random.default_rng(3)
    for layer in [*net.layers, *getattr(net.layers[1], "layers", [])]:
        if "norm" in layer.name or "bn" in layer.name:
            layer.set_weights(
                [
                    rng.uniform(0.5, 2, w.shape).astype(np.float32)
                    for w in layer.get_weights()
                ]
            )
    return net
