import pytest


@pytest.fixture
def split(painted_files):
    from tests.training.run_report.made_reports import split_of

    return split_of(painted_files)


@pytest.fixture
def reported():
    """Writes the report of a run and returns its parsed page."""
    from tests.training.run_report.made_reports import parsed
    from yolov1_fo.training.run_report import page

    def report(dataset, run_key="one"):
        path = page.write_report(run_key, dataset)
        return parsed(path.read_text(encoding="utf-8"))

    return report


@pytest.fixture
def no_drawing(monkeypatch):
    """Leaves charts empty, which take most of the time."""
    from markupsafe import Markup

    from yolov1_fo.training.run_report import charts

    monkeypatch.setattr(charts, "_svg", lambda *_: Markup("<svg></svg>"))


@pytest.fixture
def contents_of():
    from yolov1_fo.runs import folders
    from yolov1_fo.training.run_report.contents import Contents

    def contents(dataset, run_key="one"):
        return Contents(folders.run_folder(dataset, run_key), dataset, run_key)

    return contents
