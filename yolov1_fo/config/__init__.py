"""Settings, and the checks of arguments; imports only the standard library.

The defaults are the paper's; the help of a setting mentions where it deviates.
"""

from yolov1_fo.config.network import (
    MAX_IMAGE_SIZE,
    PRETRAIN_IMAGE_SIZE,
    GridConfig,
    NetworkConfig,
)
from yolov1_fo.config.train import (
    DARKNET_SCHEDULES,
    ENGINES,
    INT8,
    MAX_EPOCHS,
    MAX_IMAGE_PIXELS,
    MAX_PREDICTION_BATCH,
    MAX_TILES,
    PREDICTION_PRECISIONS,
    RUNTIMES,
    AugmentConfig,
    LossConfig,
    TrainConfig,
)

__all__ = [
    "DARKNET_SCHEDULES",
    "ENGINES",
    "INT8",
    "MAX_EPOCHS",
    "MAX_IMAGE_PIXELS",
    "MAX_IMAGE_SIZE",
    "MAX_PREDICTION_BATCH",
    "MAX_TILES",
    "PREDICTION_PRECISIONS",
    "PRETRAIN_IMAGE_SIZE",
    "RUNTIMES",
    "AugmentConfig",
    "GridConfig",
    "LossConfig",
    "NetworkConfig",
    "TrainConfig",
]
