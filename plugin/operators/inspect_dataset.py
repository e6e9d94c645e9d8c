"""Reports problems of a dataset before training, and shows the affected samples."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import inspection
from yolov1_fo.datasets.inspection_report import FINDING_KINDS

from .. import form_widgets

RECIPE = TrainConfig.for_network()

NOTHING = "nothing"


class InspectDataset(foo.Operator):
    """Inspects a dataset or view before training."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="inspect_dataset",
            label="Inspect for YOLOv1",
            description="Find bad files, bad boxes and lost objects before training",
            icon="troubleshoot",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: field, grid, and what to do with the findings."""
        form = types.Object()
        samples = form_widgets.add_target(ctx, form, "Inspect")
        fields = samples and form_widgets.detection_fields(samples, form)
        if fields:
            self._add_inputs(form, fields)
        return types.Property(form, view=types.View(label="Inspect for YOLOv1"))

    def _add_inputs(self, form: types.Object, fields: list[str]) -> None:
        form_widgets.add_dropdown(
            form, "gt_field", fields, label="Ground truth field", default="ground_truth"
        )
        form.int(
            "S",
            label="Grid size (S)",
            description="Grid cells per side",
            default=RECIPE.S,
            min=1,
        )
        form.int(
            "image_size",
            label="Image size",
            description="Side of the square input, in pixels",
            default=RECIPE.image_size,
            min=32,
        )
        choices = {NOTHING: "none", **{kind: kind for kind in FINDING_KINDS}}
        form_widgets.add_dropdown(
            form,
            "show",
            choices,
            label="Show samples",
            description="The finding whose samples are shown afterwards",
        )
        form.bool("tag", label="Tag the samples of each finding", default=False)
        form.bool("save_views", label="Save a view for each finding", default=False)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Inspects the samples; shows those of the chosen finding."""
        params = ctx.params
        report = inspection.inspect(
            ctx.target_view(require_flat=True),
            params.get("gt_field", "ground_truth"),
            S=params.get("S", RECIPE.S),
            image_size=params.get("image_size", RECIPE.image_size),
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
        counts = {kind: len(found) for kind, found in report.findings.items()}
        return {"report": form_widgets.code_block(str(report)), "findings": counts}

    def resolve_output(self, ctx: Any) -> types.Property:
        """Returns the output: the report."""
        form = types.Object()
        form.str("report", label="Report", view=types.MarkdownView())
        return types.Property(form, view=types.View(label="Inspection report"))

    def __call__(
        self, samples: Any, gt_field: str = "ground_truth", **more: Any
    ) -> Any:
        """Inspects from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view
            gt_field ("ground_truth"): field of Detections
            **more: S, image_size, show, tag, save_views
        """
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={"gt_field": gt_field, **more},
        )
