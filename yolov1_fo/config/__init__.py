"""Settings, and the checks of what a caller passes beside them: standard library only.

Defaults are the paper's. A setting that leaves the paper says so in its help.
"""

from yolov1_fo.config.network import (
    LARGEST_IMAGE_SIZE,
    PRETRAIN_IMAGE_SIZE,
    GridConfig,
    NetworkConfig,
)
from yolov1_fo.config.train import (
    DARKNET_SCHEDULES,
    MAX_IMAGE_PIXELS,
    PREDICTION_PRECISIONS,
    RECOMMENDED,
    AugmentConfig,
    LossConfig,
    TrainConfig,
)

__all__ = [
    "DARKNET_SCHEDULES",
    "LARGEST_IMAGE_SIZE",
    "MAX_IMAGE_PIXELS",
    "PREDICTION_PRECISIONS",
    "PRETRAIN_IMAGE_SIZE",
    "RECOMMENDED",
    "AugmentConfig",
    "GridConfig",
    "LossConfig",
    "NetworkConfig",
    "TrainConfig",
]
