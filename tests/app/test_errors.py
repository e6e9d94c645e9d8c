"""A person reads the errors of two detectors, and looks at some of them."""

import pytest

from tests import published
from tests.app.person import Person
from tests.app.server import App

pytestmark = pytest.mark.slow

ERRORS = "yolov1_errors"
DETECTORS = "faster_rcnn_thres0.7", "cascade_rcnn_aug_thres0.7"
RIVALS = [name.replace(".", "_") for name in DETECTORS]


@pytest.fixture
def measured(request, linked):
    """Two published detectors, evaluated."""
    import yolov1_fo

    folder = request.config.getoption("--photographs")
    if folder is None:
        pytest.skip("needs real photographs: --photographs DIR")
    dataset = published.dataset(folder, *DETECTORS)
    dataset.persistent = True
    for name in RIVALS:
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
        RIVALS[1],
        gt_field="detections",
        method=yolov1_fo.VOCEvaluationConfig,
        classes=published.CLASSES,
        similar=[published.CLASSES],
        eval_key="voc",
        progress=False,
    )
    yield dataset
    dataset.delete()


def test_errors_are_seen_compared_and_looked_at(measured, chromium, pictures, tmp_path):
    from yolov1_fo.evaluation import error_fields

    app = App(measured.name, tmp_path / "app.log")
    try:
        person = Person(chromium, app.url, pictures)
        panel = person.panel(ERRORS)
        panel.locator(".js-plotly-plot .bars path").first.wait_for()
        person.page.wait_for_timeout(1500)
        person.picture("14-errors")

        # The newest evaluation is shown; the other one stands beside it on request.
        panel.locator("[role=combobox]").nth(1).click()
        rival = person.page.get_by_role("option", name=f"{RIVALS[0]}_eval", exact=True)
        rival.click()
        person.page.wait_for_timeout(2500)
        person.picture("15-errors-compared")

        # A bar of a class shows the detections behind it.
        by_class = panel.locator(".js-plotly-plot").nth(1)
        for number, (kind, label) in enumerate(
            [("localization", "person"), ("similar", "car"), ("background", "person")]
        ):
            expected = error_fields.view(measured, "voc", kind, label)
            column = sorted(published.CLASSES).index(label)
            trace = by_class.locator(".trace.bars").nth(_trace(kind))
            trace.locator(".point path").nth(column).click(force=True)
            person.says(f"{len(expected)} patches|{len(expected)} patch")
            person.page.wait_for_timeout(2500)
            person.picture(f"{16 + number}-{kind}-{label}")

        # VOC's evaluation opens in FiftyOne's own panel.
        person.evaluation("voc")
        person.says("VOC07 mAP@0.5").scroll_into_view_if_needed()
        person.page.wait_for_timeout(2500)
        person.picture("19-voc")
        person.close()
    finally:
        app.stop()


def _trace(kind):
    from yolov1_fo.evaluation.error_analysis import KINDS

    return KINDS.index(kind)
