"""The rows of a dataset's trainings."""

from tests.runs.made_runs import make_run
from yolov1_fo.jobs import runs_table
from yolov1_fo.runs import records


def test_an_unreadable_record_is_one_row(painted):
    folder = make_run(painted)
    (folder / "log.csv").write_text("epoch,loss\n1,many\n")
    [row] = runs_table.rows(painted)
    assert (row.status, row.history) == ("finished", {})
    for changed in ({"settings": 7}, {"settings": {}}, {"epoch": "x"}, {"folder": 7}):
        records.update(painted, "one", **changed)
        [row] = runs_table.rows(painted)
        assert row.message.startswith("its record can't be read: ")
