"""YOLOv1 in the FiftyOne App; registers the operators. Loads no TensorFlow."""

import sys
from pathlib import Path
from typing import Any

try:
    import yolov1_fo  # noqa: F401  # installed
except ImportError:  # the copy beside this folder
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from .apply_model import ApplyModel
from .delete_run import DeleteRun
from .resume_training import ResumeTraining
from .stop_training import StopTraining
from .train_model import TrainModel


def register(plugin: Any) -> None:
    """Registers what fiftyone.yml lists."""
    for operator in (TrainModel, ResumeTraining, StopTraining, ApplyModel, DeleteRun):
        plugin.register(operator)
