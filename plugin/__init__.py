"""The YOLOv1 plugin of the FiftyOne App. It does not load TensorFlow."""

import sys
from pathlib import Path
from typing import Any

try:
    import yolov1_fo  # noqa: F401  # installed
except ImportError:  # use the copy next to this folder
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from .operators.apply_model import ApplyModel
from .operators.delete_run import DeleteRun
from .operators.evaluate_model import EvaluateModel
from .operators.inspect_dataset import InspectDataset
from .operators.metrics import Ap50, Voc07, Voc10
from .operators.publish_model import PublishModel
from .operators.resume_training import ResumeTraining
from .operators.stop_training import StopTraining
from .operators.train_model import TrainModel
from .panels.dataset_check import DatasetCheckPanel
from .panels.errors import ErrorsPanel
from .panels.runs import RunsPanel


def register(plugin: Any) -> None:
    """Registers the operators and panels listed in fiftyone.yml."""
    for one in (
        *(TrainModel, ResumeTraining, StopTraining),
        *(ApplyModel, EvaluateModel, InspectDataset),
        *(PublishModel, DeleteRun),
        *(Voc07, Voc10, Ap50),
        *(RunsPanel, ErrorsPanel, DatasetCheckPanel),
    ):
        plugin.register(one)
