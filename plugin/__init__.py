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
from .errors_panel import ErrorsPanel
from .evaluate_model import EvaluateModel
from .inspect_dataset import InspectDataset
from .metrics import Ap50, Voc07, Voc10
from .publish_model import PublishModel
from .resume_training import ResumeTraining
from .runs_panel import RunsPanel
from .stop_training import StopTraining
from .train_model import TrainModel


def register(plugin: Any) -> None:
    """Registers what fiftyone.yml lists."""
    for one in (
        *(TrainModel, ResumeTraining, StopTraining),
        *(ApplyModel, EvaluateModel, InspectDataset),
        *(PublishModel, DeleteRun),
        *(Voc07, Voc10, Ap50),
        *(RunsPanel, ErrorsPanel),
    ):
        plugin.register(one)
