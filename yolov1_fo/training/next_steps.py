"""What to type after a training, in Python and in a shell."""

import shlex
from typing import NamedTuple


class Step(NamedTuple):
    """A command with what it does.

    Attributes:
        text: what it does
        command: to type in a shell
    """

    text: str
    command: str


def code(run_key: str, task: str) -> str:
    """Returns what to type next in Python, given `dataset`.

    Args:
        run_key: of the run
        task: detect or classify
    """
    if task == "detect":
        return f"yolov1_fo.apply(dataset, yolov1_fo.load_model({run_key!r}, dataset))"
    return f"yolov1_fo.train(dataset, weights={run_key!r})"


def shell_command(dataset: str, run_key: str, task: str) -> str:
    """Returns what to type next in a shell: it applies the detector, or trains one."""
    if task == "detect":
        return _command("apply", dataset, run_key)
    return _command("train", dataset, "--weights", run_key)


def steps(dataset: str, run_key: str, gt_field: str, task: str) -> list[Step]:
    """Returns what can be done with a run, as commands for a shell.

    Args:
        dataset: its name
        run_key: of the run
        gt_field: the field of labels
        task: detect or classify
    """
    first = shell_command(dataset, run_key, task)
    if task != "detect":
        return [Step("Train a detector from this classifier", first)]
    of_dataset = ("--dataset", dataset)
    fields = () if gt_field == "ground_truth" else ("--gt-field", gt_field)
    return [
        Step("Write predictions to a field", first),
        Step(
            "Evaluate them; --tag val measures on the samples with this tag only",
            _command(
                *("evaluate", dataset, "predictions", *fields),
                *("--eval-key", run_key),
            ),
        ),
        Step("See them in the App", shlex.join(["fiftyone", "app", "launch", dataset])),
        Step(
            "Train again from here, for example after labels were corrected",
            _command("train", dataset, "--weights", run_key, *fields),
        ),
        Step(
            "Publish the model to the model zoo",
            _command("publish", run_key, run_key, *of_dataset),
        ),
        Step("Write the report again", _command("report", run_key, *of_dataset)),
    ]


def _command(*words: str) -> str:
    return shlex.join(["yolov1-fo", *words])
