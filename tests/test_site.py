"""The documentation as a site: no warning, all public names, nothing from elsewhere."""

import os
import re
import subprocess
import sys

import pytest

import yolov1_fo
from tests.serving import ROOT

pytestmark = pytest.mark.slow


def test_the_site_is_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "reference.html").read_text()
    for name, module in yolov1_fo._MODULES.items():
        assert f'id="yolov1_fo.{module}.{name}"' in reference, name
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages < {path.stem for path in tmp_path.glob("*.html")}
    start = (tmp_path / "index.html").read_text()
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)', start)
    assert loaded == []
