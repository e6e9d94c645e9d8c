"""What `train` and `pretrain` return."""

from dataclasses import dataclass, field

from yolov1_fo.config import TrainConfig
from yolov1_fo.config.plurals import counted
from yolov1_fo.evaluation.operating_point import OperatingPoint
from yolov1_fo.runs.history import History
from yolov1_fo.training import next_steps, progress_text
from yolov1_fo.training.progress import SCORES


@dataclass(frozen=True)
class TrainResult:
    """What a training produced; prints as a summary.

    Attributes:
        checkpoint_dir: folder of the best checkpoint
        run_key: name of the run on the dataset
        history: a list of numbers, one per epoch, for each metric; None where an epoch
            has no value
        best: epoch and metrics of the best checkpoint
        skipped: image files that were skipped, with the reason
        dataset: name of the dataset
        task: detect or classify
        config: settings of the training
        operating_point: the confidence threshold of the best F1 on the validation
            split, with precision and recall; None if it was not measured
        stop_reason: why the training ended before its last epoch; empty if it did not
        report_path: of `report.html`, see `write_report`; empty if it was not written
        peak_memory: of the process, in bytes; None if unknown
        peak_device_memory: of the first accelerator, in bytes; None if unknown
    """

    checkpoint_dir: str
    run_key: str
    history: History
    best: dict[str, float]
    skipped: dict[str, str] = field(default_factory=dict)
    dataset: str = ""
    task: str = "detect"
    config: TrainConfig = field(default_factory=TrainConfig)
    operating_point: OperatingPoint | None = None
    stop_reason: str = ""
    report_path: str = ""
    peak_memory: int | None = None
    peak_device_memory: int | None = None

    def __str__(self) -> str:
        return self.summary(self.next_code)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.summary_line}>"

    def __fspath__(self) -> str:
        """Returns the folder of the checkpoint, so that `load_model(run)` works."""
        return self.checkpoint_dir

    def summary(self, next_command: str = "") -> str:
        """Returns the summary: a few aligned lines.

        Args:
            next_command (""): what to type next; lines after its first are indented
        """
        from tabulate import tabulate  # comes with FiftyOne

        rows = [
            ("run", f"'{self.run_key}' on dataset '{self.dataset}'"),
            ("best epoch", self._best_epoch()),
            ("ended early", self.stop_reason),
            ("operating point", self._operating_point()),
            ("time", self._time()),
            ("peak memory", self._memory()),
            ("checkpoint", self.checkpoint_dir),
            ("report", self.report_path),
            ("skipped", self._skipped().removesuffix(" skipped")),
            ("next", self._advice() or next_command),
        ]
        return tabulate(
            [row for row in rows if row[1]], tablefmt="plain", disable_numparse=True
        )

    @property
    def summary_line(self) -> str:
        """The summary in one line."""
        metric, score = self._score()
        name = SCORES.get(metric, progress_text.SHORT_NAMES[metric])
        shown = f" with {name} {score}" if metric != "loss" else ""
        parts = [
            f"run '{self.run_key}': {len(self.history['loss'])} epochs",
            f"best at epoch {self.best['epoch']:.0f}{shown}",
            f"checkpoint {self.checkpoint_dir}",
        ]
        return ", ".join([*parts, self._skipped()] if self.skipped else parts)

    @property
    def next_code(self) -> str:
        """What to type next in Python: it applies the detector, or trains one."""
        load = f"dataset = fo.load_dataset({self.dataset!r})"
        return "\n".join([load, next_steps.code(self.run_key, self.task)])

    @property
    def next_shell_command(self) -> str:
        """What to type next in a shell: it applies the detector, or trains one."""
        return next_steps.shell_command(self.dataset, self.run_key, self.task)

    def _score(self) -> tuple[str, str]:
        """Returns the metric that decided which epoch is best, and its value there."""
        metric = progress_text.monitored(self.config.monitor, self.best)
        return metric, progress_text.value(metric, self.best[metric])

    def _best_epoch(self) -> str:
        metric, score = self._score()
        done, epochs = len(self.history["loss"]), self.config.epochs
        count = f"{done}" if done == epochs else f"{done} (of {epochs} planned)"
        name = progress_text.SHORT_NAMES[metric]
        return f"{self.best['epoch']:.0f} of {count}, with {name} {score}"

    def _operating_point(self) -> str:
        point = self.operating_point
        if point is None:
            return ""
        return str(point)

    def _advice(self) -> str:
        """Returns what to do if the detector finds nothing; empty if it does."""
        if self.operating_point is None or self.operating_point.f1 > 0:
            return ""
        return "train for longer: no object of the validation split is found"

    def _time(self) -> str:
        """Returns the time of all epochs, of all processes that trained the run."""
        seconds = [one for one in self.history.get("seconds", ()) if one is not None]
        return progress_text.duration(seconds[-1]) if seconds else ""

    def _memory(self) -> str:
        sizes = {"": self.peak_memory, "GPU ": self.peak_device_memory}
        return ", ".join(
            f"{name}{size / 1e9:.1f} GB" for name, size in sizes.items() if size
        )

    def _skipped(self) -> str:
        count = len(self.skipped)
        return f"{counted(count, 'image')} skipped" if count else ""
