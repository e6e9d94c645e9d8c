"""What `train` and `pretrain` return."""

from dataclasses import dataclass, field

from yolov1_fo.runs.history import History
from yolov1_fo.training.progress import SCORES


@dataclass(frozen=True)
class TrainResult:
    """What a training produced.

    Attributes:
        checkpoint_dir: folder of the best checkpoint
        run_key: name of the run on the dataset
        history: a list of numbers, one per epoch, for each metric; None where an epoch
            has no value
        best: epoch and metrics of the best checkpoint
        skipped: image files that were skipped, with the reason
    """

    checkpoint_dir: str
    run_key: str
    history: History
    best: dict[str, float]
    skipped: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        scores = [
            f" with {name} {self.best[key]:.3f}"
            for key, name in SCORES.items()
            if key in self.best
        ]
        parts = [
            f"run '{self.run_key}': {len(self.history['loss'])} epochs",
            f"best at epoch {self.best['epoch']:.0f}" + "".join(scores),
            f"checkpoint {self.checkpoint_dir}",
        ]
        if self.skipped:
            parts.append(f"{len(self.skipped)} images skipped")
        return ", ".join(parts)
