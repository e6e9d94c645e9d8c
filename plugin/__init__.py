"""The YOLOv1 plugin of the FiftyOne App. It does not load TensorFlow."""

import sys
from pathlib import Path
from typing import Any

try:
    import yolov1_fo  # noqa: F401  # installed
except ImportError:  # use the copy next to this folder
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from .operators.accept_labels import AcceptLabels
from .operators.apply_model import ApplyModel
from .operators.clear_mistakes import ClearMistakes
from .operators.delete_run import DeleteRun
from .operators.edit_note import EditNote
from .operators.evaluate_model import EvaluateModel
from .operators.export_model import ExportModel
from .operators.find_mistakes import FindMistakes
from .operators.inspect_dataset import InspectDataset
from .operators.metrics import Ap50, Voc07, Voc10
from .operators.next_to_label import NextToLabel
from .operators.publish_model import PublishModel
from .operators.rename_run import RenameRun
from .operators.resume_training import ResumeTraining
from .operators.stop_training import StopTraining
from .operators.suggest_labels import SuggestLabels
from .operators.train_again import TrainAgain
from .operators.train_model import TrainModel
from .operators.undo_accept import UndoAccept
from .panels.dataset_check import DatasetCheckPanel
from .panels.errors import ErrorsPanel
from .panels.labels import LabelsPanel
from .panels.predictions import PredictionsPanel
from .panels.runs import RunsPanel


def register(plugin: Any) -> None:
    """Registers the operators and panels listed in fiftyone.yml."""
    for one in (
        *(TrainModel, ResumeTraining, StopTraining),
        *(ApplyModel, EvaluateModel, InspectDataset),
        *(FindMistakes, SuggestLabels, AcceptLabels, UndoAccept),
        *(NextToLabel, TrainAgain, ClearMistakes),
        *(PublishModel, ExportModel, RenameRun, EditNote, DeleteRun),
        *(Voc07, Voc10, Ap50),
        *(RunsPanel, PredictionsPanel, ErrorsPanel, LabelsPanel, DatasetCheckPanel),
    ):
        plugin.register(one)
