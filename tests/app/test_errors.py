"""The errors panel with the errors of two detectors."""

import pytest

from tests import published
from tests.app.app_page import AppPage
from tests.app.app_server import AppServer

pytestmark = pytest.mark.slow

ERRORS = "yolov1_errors"
DETECTORS = "faster_rcnn_thres0.7", "cascade_rcnn_aug_thres0.7"
FIELDS = [name.replace(".", "_") for name in DETECTORS]


@pytest.fixture
def evaluated(request, linked):
    """A dataset with the predictions of two published detectors, evaluated."""
    import yolov1_fo

    folder = request.config.getoption("--photographs")
    if folder is None:
        pytest.skip("needs real photographs: --photographs DIR")
    dataset = published.dataset(folder, *DETECTORS)
    dataset.persistent = True
    for name in FIELDS:
        yolov1_fo.evaluate(
            dataset,
            name,
            "detections",
            f"{name}_eval",
            published.CLASSES,
            similar=[published.CLASSES],
            progress=False,
        )
    dataset.evaluate_detections(
        FIELDS[1],
        gt_field="detections",
        method=yolov1_fo.VOCEvaluationConfig,
        classes=published.CLASSES,
        similar=[published.CLASSES],
        eval_key="voc",
        progress=False,
    )
    yield dataset
    dataset.delete()


def test_errors_are_compared_and_shown(evaluated, chromium, screenshots, tmp_path):
    from yolov1_fo.evaluation import error_fields

    app = AppServer(evaluated.name, tmp_path / "app.log")
    try:
        page = AppPage(chromium, app.url, screenshots)
        panel = page.open_panel(ERRORS)
        panel.locator(".js-plotly-plot .bars path").first.wait_for()
        page.window.wait_for_timeout(1500)
        page.screenshot("14-errors")

        # The newest evaluation is shown; another one can be compared with it.
        panel.locator("[role=combobox]").nth(1).click()
        option = page.window.get_by_role("option", name=f"{FIELDS[0]}_eval", exact=True)
        option.click()
        page.window.wait_for_timeout(2500)
        page.screenshot("15-errors-compared")
        picture = screenshots / "errors.jpg"  # without photographs, for the docs
        panel.first.screenshot(path=picture, type="jpeg", quality=85)

        # Clicking a bar shows its detections.
        by_class = panel.locator(".js-plotly-plot").nth(1)
        for number, (kind, label) in enumerate(
            [("localization", "person"), ("similar", "car"), ("background", "person")]
        ):
            expected = error_fields.view(evaluated, "voc", kind, label)
            column = sorted(published.CLASSES).index(label)
            trace = by_class.locator(".trace.bars").nth(_trace(kind))
            trace.locator(".point path").nth(column).click(force=True)
            page.wait_for_text(f"{len(expected)} patches|{len(expected)} patch")
            page.window.wait_for_timeout(2500)
            page.screenshot(f"{16 + number}-{kind}-{label}")

        # The VOC evaluation opens in FiftyOne's own panel.
        page.open_evaluation("voc")
        page.wait_for_text("VOC07 mAP@0.5").scroll_into_view_if_needed()
        page.window.wait_for_timeout(2500)
        page.screenshot("19-voc")
        page.close()
    finally:
        app.stop()


def _trace(kind):
    from yolov1_fo.evaluation.error_analysis import ERROR_TYPES

    return ERROR_TYPES.index(kind)
