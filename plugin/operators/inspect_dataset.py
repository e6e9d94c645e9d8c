"""Tells what a training will lose, and shows the samples."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config import RECOMMENDED
from yolov1_fo.datasets import inspection

from .. import forms

NOTHING = "nothing"


class InspectDataset(foo.Operator):
    """Looks at a dataset before a training."""

    @property
    def config(self) -> foo.OperatorConfig:
        """What the App shows of it."""
        return foo.OperatorConfig(
            name="inspect_dataset",
            label="Inspect for YOLOv1",
            description="What a training on this view will lose, before you start",
            icon="troubleshoot",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Asks for the field, the grid, and what to show."""
        form = types.Object()
        samples = forms.target(ctx, form, "Inspect")
        fields = samples and forms.detection_fields(samples, form)
        if fields:
            self._ask(form, fields)
        return types.Property(form, view=types.View(label="Inspect for YOLOv1"))

    def _ask(self, form: types.Object, fields: list[str]) -> None:
        forms.dropdown(
            form, "gt_field", fields, label="Ground truth", default="ground_truth"
        )
        form.int("S", label="Cells a side", default=RECOMMENDED["S"], min=1)
        form.int(
            "image_size",
            label="Side, in pixels",
            default=RECOMMENDED["image_size"],
            min=32,
        )
        shown = {NOTHING: "stay here", **{kind: kind for kind in inspection.KINDS}}
        forms.dropdown(form, "show", shown, label="Then show the samples of")
        form.bool("tag", label="Tag the samples of each finding", default=False)
        form.bool("save_views", label="Save a view of each finding", default=False)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Inspects; shows a finding's samples if asked to."""
        params = ctx.params
        report = inspection.inspect(
            ctx.target_view(require_flat=True),
            params.get("gt_field", "ground_truth"),
            S=params.get("S", RECOMMENDED["S"]),
            image_size=params.get("image_size", RECOMMENDED["image_size"]),
        )
        if params.get("tag"):
            report.tag()
        if params.get("save_views"):
            report.save_views()
        if params.get("tag") or params.get("save_views"):
            ctx.ops.reload_dataset()
        show = params.get("show", NOTHING)
        if show != NOTHING and report.findings[show]:
            ctx.ops.set_view(report.view(show))
        found = {kind: len(found) for kind, found in report.findings.items()}
        return {"report": forms.block(str(report)), "findings": found}

    def resolve_output(self, ctx: Any) -> types.Property:
        """Shows the report."""
        form = types.Object()
        form.str("report", label="Report", view=types.MarkdownView())
        return types.Property(form, view=types.View(label="What a training will lose"))

    def __call__(
        self, samples: Any, gt_field: str = "ground_truth", **more: Any
    ) -> Any:
        """Inspects from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view
            gt_field ("ground_truth"): its field of Detections
            **more: S, side, show, tag, save_views
        """
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={"gt_field": gt_field, **more},
        )
