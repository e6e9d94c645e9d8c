"""Deletes a run and the files that belong to it."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
import humanize

from yolov1_fo.publishing import run_traces
from yolov1_fo.publishing.run_traces import RunTraces
from yolov1_fo.runs import deletion, registry

from ..forms import form_widgets, run_labels

LAST = "⚠ "
"""The App sorts operators by the first character of their descriptions."""


class DeleteRun(foo.Operator):
    """Deletes a training run and its checkpoints."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="delete_run",
            label="Delete YOLOv1 run",
            description=f"{LAST}Delete a training run and its checkpoints",
            icon="delete",
            dynamic=True,
            risk_level=types.RiskLevel.DANGEROUS,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: the run, what is lost with it, and a confirmation."""
        form = types.Object()
        keys = [
            key
            for key in registry.newest_first(ctx.dataset)
            if registry.status(ctx.dataset, key) != "running"
        ]
        labels = run_labels.of_runs(ctx.dataset, keys)
        if keys:
            run_key = form_widgets.add_dropdown(
                *(form, "run_key", {"": "Choose a run", **labels}),
                label="Run",
                params=ctx.params,
            )
            self._add_losses(ctx, form, run_key)
        else:
            form_widgets.show_error(form, "No run that can be deleted")
        return types.Property(form, view=types.View(label="Delete YOLOv1 run"))

    def _add_losses(self, ctx: Any, form: types.Object, run_key: str) -> None:
        """Adds what is lost with the run, and the confirmation."""
        if not run_key:
            _add_obstacle(form, "choose", "Choose the run to delete")
            return
        found = run_traces.find(ctx.dataset, run_key)
        form_widgets.add_notice(form, "lost", lost(run_key, found), is_warning=True)
        if text := kept(found):
            form_widgets.add_notice(form, "kept", text)
        form.bool("confirm", label=f"Delete '{run_key}' permanently", default=False)
        if not ctx.params.get("confirm"):
            _add_obstacle(form, "unconfirmed", "Check the box to delete the run")

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Deletes the run."""
        run_key = ctx.params.get("run_key", "")
        return {
            "run_key": run_key,
            "message": deletion.delete_run(ctx.dataset, run_key),
        }

    def resolve_output(self, ctx: Any) -> types.Property:
        """Returns the output: the run's name and what happened to its files."""
        form = types.Object()
        form.str("run_key", label="Deleted run")
        form.str("message", label="Files")
        return types.Property(form)

    def __call__(self, dataset: Any, run_key: str) -> Any:
        """Deletes a run from Python.

        Args:
            dataset: the dataset with the run
            run_key: name of the run
        """
        params = {"run_key": run_key, "confirm": True}
        return foo.execute_operator(self.uri, ctx={"dataset": dataset}, params=params)


def _add_obstacle(form: types.Object, name: str, text: str) -> None:
    """Adds a line that says what is still to do, until when nothing is executed."""
    form_widgets.add_notice(form, name, text)
    form.properties[name].invalid = True
    form.properties[name].error_message = text


def lost(run_key: str, found: RunTraces) -> str:
    """Returns what is lost with a run, in one line."""
    text = f"Will be deleted: the record and the curves of '{run_key}'"
    if found.folder and found.is_own:
        size = humanize.naturalsize(found.size)
        text += f", and its folder with all checkpoints, {size}: {found.folder}"
    return text


def kept(found: RunTraces) -> str:
    """Returns what came from a run and stays, in one line; empty if nothing did."""
    names = []
    if found.folder and not found.is_own:
        names.append(f"the folder {found.folder}, which belongs to another run")
    names += [f"the published model '{name}', a copy" for name in found.published]
    names += [f"its predictions in '{name}'" for name in found.fields]
    return f"Kept: {'; '.join(names)}" if names else ""
