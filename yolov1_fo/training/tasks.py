"""What detection and classification do differently before a training starts."""

from collections.abc import Callable
from typing import Any, NamedTuple

from yolov1_fo.config import PRETRAIN_IMAGE_SIZE
from yolov1_fo.datasets import checks


class Task(NamedTuple):
    """What a network is trained for.

    Attributes:
        name: as it is stored with the run
        function: the function that trains for it
        argument: how this function calls the field of labels
        check: raises a ValueError unless (samples, field, argument) have such labels
        defaults: settings that differ from those of the recipe
    """

    name: str
    function: str
    argument: str
    check: Callable[..., None]
    defaults: dict[str, Any] = {}  # noqa: RUF012  # never changed


DETECT = Task("detect", "train", "gt_field", checks.check_labeled)
CLASSIFY = Task(
    *("classify", "pretrain", "label_field", checks.check_classified),
    defaults={"network": "yolov1", "image_size": PRETRAIN_IMAGE_SIZE},
)
TASKS = {task.name: task for task in (DETECT, CLASSIFY)}
