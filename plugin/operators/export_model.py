"""Exports a model in a child process."""

from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.inference.export_formats import TARGETS
from yolov1_fo.jobs import export_job
from yolov1_fo.runs import ranking

from .. import job_progress
from ..forms import form_widgets, run_labels
from ..names import NO_MODEL

FORMAT = "saved_model"


class ExportModel(foo.Operator):
    """Exports a trained model as SavedModel, ONNX, OpenVINO or LiteRT."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="export_model",
            label="Export YOLOv1 model",
            description="Export a model as SavedModel, ONNX, OpenVINO or LiteRT",
            icon="ios_share",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: model, format and path."""
        form = types.Object()
        models = run_labels.models(ctx.dataset, ranking.detectors(ctx.dataset))
        if models:
            self._add_inputs(ctx, form, models)
        else:
            form_widgets.show_error(form, NO_MODEL)
        return types.Property(form, view=types.View(label="Export YOLOv1 model"))

    def _add_inputs(self, ctx: Any, form: types.Object, models: dict[str, str]) -> None:
        model = form_widgets.add_dropdown(
            *(form, "model", models),
            label="Model",
            default=ranking.best_finished(ctx.dataset),
            params=ctx.params,
        )
        labels = {name: target.label for name, target in TARGETS.items()}
        form_widgets.add_dropdown(form, "format", labels, label="Format")
        name = ctx.params.get("format") or FORMAT
        path = ctx.params.get("path") or _default_path(model, name)
        form.str(
            "path",
            label="Path",
            description="The file or folder to write, on the App server. "
            f"Empty: {_default_path(model, name)}",
        )
        form_widgets.check(
            form, lambda: export_job.check(ctx.dataset, model, path, name)
        )

    def execute(self, ctx: Any) -> Any:
        """Starts the job and reports its progress."""
        dataset, model = ctx.dataset, ctx.params.get("model", "")
        name = ctx.params.get("format") or FORMAT
        path = ctx.params.get("path") or _default_path(model, name)
        return job_progress.run_job(
            ctx, lambda: export_job.start(dataset, model, path, name)
        )

    def __call__(
        self,
        dataset: Any,
        model: str,
        path: str,
        format: str = FORMAT,
        *,
        delegate: bool = False,
    ) -> Any:
        """Starts the job from Python; returns the operator's result.

        Args:
            dataset: the dataset with the run
            model: run key, or name of a published model
            path: the file to write, or the folder of a SavedModel or for OpenVINO
            format ("saved_model"): saved_model, onnx, openvino or litert
            delegate (False): whether to queue a delegated operation
        """
        return foo.execute_operator(
            self.uri,
            ctx={"dataset": dataset},
            params={"model": model, "path": path, "format": format},
            request_delegation=delegate,
        )


def _default_path(model: str, format: str) -> str:
    """Returns a path in the user's home."""
    target = TARGETS.get(format)
    return str(Path.home() / f"{model}{target.suffix if target else ''}")
