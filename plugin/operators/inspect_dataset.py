"""Finds problems of a dataset before training; a panel shows them."""

from collections.abc import Mapping
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config import NetworkConfig, TrainConfig
from yolov1_fo.config.network import grid_sizes
from yolov1_fo.datasets import inspection

from .. import job_progress, last_checks
from ..forms import form_widgets
from ..names import GT_FIELD

RECIPE = TrainConfig.for_network()

PANEL = "yolov1_check"


class InspectDataset(foo.Operator):
    """Inspects a dataset or view before training."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="inspect_dataset",
            label="Check dataset for YOLOv1",
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
        samples = form_widgets.add_target(ctx, form, "Check")
        fields = samples and form_widgets.detection_fields(samples, form)
        if fields:
            self._add_inputs(ctx, form, fields)
        return types.Property(form, view=types.View(label="Check dataset for YOLOv1"))

    def _add_inputs(self, ctx: Any, form: types.Object, fields: list[str]) -> None:
        form_widgets.add_dropdown(
            *(form, "gt_field", fields),
            label="Ground truth field",
            default=GT_FIELD,
            params=ctx.params,
        )
        form.int(
            "image_size",
            label="Image size",
            description="Side of the network's square input, in pixels",
            default=RECIPE.image_size,
        )
        finest, error = form_widgets.attempt(lambda: _grid_size({**ctx.params, "S": 0}))
        form.int(
            "S",
            label="Grid size (S x S)",
            description=f"Cells per side. Empty: the finest grid, {finest or '?'}",
        )
        form.bool("tag", label="Tag the samples of each finding", default=False)
        form.bool("save_views", label="Save a view for each finding", default=False)
        if error:
            form_widgets.show_error(form, error)
        else:
            form_widgets.check(form, lambda: _grid_size(ctx.params))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Inspects the samples, and opens the panel with the findings."""
        params = ctx.params
        report = inspection.inspect(
            ctx.target_view(require_flat=True),
            params.get("gt_field", GT_FIELD),
            S=_grid_size(params),
            image_size=params.get("image_size", RECIPE.image_size),
        )
        if params.get("tag"):
            report.tag()
        if params.get("save_views"):
            report.save_views()
        last_checks.keep(ctx.dataset, report)
        if params.get("tag") or params.get("save_views"):
            ctx.ops.reload_dataset()
        if not ctx.delegated:
            job_progress.open_panel(ctx, PANEL)
        counts = {kind: len(found) for kind, found in report.findings.items()}
        return {"report": str(report), "findings": counts}

    def __call__(self, samples: Any, gt_field: str = GT_FIELD, **more: Any) -> Any:
        """Inspects from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view
            gt_field ("ground_truth"): field of Detections
            **more: S, image_size, tag, save_views
        """
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={"gt_field": gt_field, **more},
        )


def _grid_size(params: Mapping[str, Any]) -> int:
    """Returns the grid's S; an empty one is the finest of the default network.

    Raises:
        ValueError: if it or the image size is invalid, or the image size was emptied
    """
    enter = {"image_size": form_widgets.ENTER_NUMBER}
    form_widgets.check_filled(params, enter)
    size = params.get("image_size", RECIPE.image_size)
    NetworkConfig(S=params.get("S") or 1, image_size=size)  # checks them
    return params.get("S") or grid_sizes(RECIPE.network, size)[-1]
