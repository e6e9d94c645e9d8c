"""What `apply` is told beside model and field, and its checks.

Never imports Keras: the App's form checks with it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from yolov1_fo.config import (
    ENGINES,
    MAX_PREDICTION_BATCH,
    arguments,
    packages,
    spelling,
)


class ApplyOptions(NamedTuple):
    """Options of `apply`, which explains them.

    Attributes:
        batch_size: images per forward pass
        skip_existing: whether samples that have a value are skipped
        engine: thread, process or ray
        num_workers: number of threads that decode images, or of processes
        media_field: the field with the image files; None is that of the training
    """

    batch_size: int = 16
    skip_existing: bool = False
    engine: str = "thread"
    num_workers: int = 0
    media_field: str | None = None

    def check(self) -> None:
        """Raises an error unless each option is valid by itself.

        Raises:
            TypeError: if one has another type
            ValueError: if one is out of range
            ImportError: if the engine needs a package that is missing
        """
        spelling.check_choice("engine", self.engine, ENGINES)
        arguments.check_integer("num_workers", self.num_workers, 0)
        arguments.check_integer("batch_size", self.batch_size, 1, MAX_PREDICTION_BATCH)
        arguments.check_bool("skip_existing", self.skip_existing)
        if self.engine == "ray":
            packages.require("engine='ray'", ["ray"])

    def check_model(self, metadata: Mapping[str, Any], *, has_gpu: bool) -> None:
        """Raises a ValueError if the engine can't predict with a model on this machine.

        Args:
            metadata: of the model
            has_gpu: whether the network computes on a GPU
        """
        if self.engine != "thread" and metadata.get("origin") == "untrained":
            raise ValueError("an untrained network needs engine='thread'")
        if self.engine == "process" and has_gpu:  # which each process would use
            raise ValueError(
                "engine='process' is for CPUs; on a GPU use engine='thread', or "
                "engine='ray' for several GPUs"
            )

    def check_videos(self) -> None:
        """Raises a ValueError if an option is for images only."""
        if self.engine != "thread":
            raise ValueError(f"engine='{self.engine}' is for images, not for videos")
        for name in ("media_field", "skip_existing"):
            if name in self.given():
                raise ValueError(f"{name} is for images, not for videos")

    def given(self) -> list[str]:
        """Returns the names of the options that are not the defaults."""
        return [
            name
            for name, value in self._asdict().items()
            if value != self._field_defaults[name]
        ]
