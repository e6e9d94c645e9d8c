"""The commands that a report names are commands of the command line."""

import argparse
import shlex

import pytest

from yolov1_fo.cli.commands import apply, evaluate, publish, report, train
from yolov1_fo.training import next_steps

COMMANDS = {
    "apply": apply,
    "evaluate": evaluate,
    "publish": publish,
    "report": report,
    "train": train,
}


@pytest.mark.parametrize("task", ["detect", "classify"])
@pytest.mark.parametrize("field", ["ground_truth", "my labels"])
def test_each_command_can_be_parsed(task, field):
    steps = next_steps.steps("my photographs", "one", field, task)
    names = []
    for step in steps:
        program, name, *rest = shlex.split(step.command)
        if program == "fiftyone":
            assert [name, *rest] == ["app", "launch", "my photographs"]
            continue
        parser = argparse.ArgumentParser()
        COMMANDS[name].add(parser.add_subparsers())
        given = parser.parse_args([name, *rest])
        assert given.dataset == "my photographs"
        if task == "detect":
            assert getattr(given, "gt_field", field) == field
        names.append(name)
    detector = ["apply", "evaluate", "train", "publish", "report"]
    assert names == (detector if task == "detect" else ["train"])
