"""A job survives the browser and the server, and is resumed after its own death."""

import os
import signal

import pytest

from tests.app.app_page import MODAL, RUNS, AppPage
from tests.app.waiting import ended, epochs_of, job_of, wait_for

pytestmark = pytest.mark.slow

MINUTES = 2.5
"""The job must outlast a restart of the server, and end soon after it is resumed."""


def test_a_job_survives_browser_and_server(highway, app, chromium, screenshots):
    # 1. Close the browser during training, and kill the server.
    page = AppPage(chromium, app.url, screenshots)
    page.open_panel(RUNS)
    page.open_operator("Train YOLOv1")
    page.fill("Run name", "lasting")
    page.fill("Time limit (minutes)", str(MINUTES))
    page.fill("Image size", "64")
    page.wait_for_text("95 training images")
    page.execute()
    wait_for(lambda: page.epoch("lasting"))
    page.close()
    app.stop()

    # 2. Training continues; after a restart the panel shows it.
    before = job_of(highway, "lasting").progress.done
    app.start()
    page = AppPage(chromium, app.url, screenshots)
    page.open_panel(RUNS)
    page.wait_for_text("lasting: epoch")
    assert job_of(highway, "lasting").progress.done > before
    page.screenshot("12-continued")

    # 3. Kill its process: the panel shows that it failed, and why.
    wait_for(lambda: epochs_of(highway, "lasting") >= 1)
    os.killpg(job_of(highway, "lasting").pid, signal.SIGKILL)
    page.wait_for_text("its process died at: epoch")
    page.screenshot("13-failed")

    # 4. Resume it to the end.
    reached = epochs_of(highway, "lasting")
    assert reached >= 1
    page.click("Resume")
    page.window.locator(MODAL).wait_for()
    page.execute()
    assert wait_for(lambda: page.epoch("lasting")) > reached
    assert ended(highway, "lasting").progress.state == "finished"
    assert epochs_of(highway, "lasting") > reached
    assert app.libraries() == set()
    page.close()
