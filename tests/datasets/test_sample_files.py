"""The image files of samples, read in parts."""

import fiftyone as fo
import pytest

from yolov1_fo.datasets import sample_files
from yolov1_fo.datasets.sample_files import SampleFiles, StoredFiles


def test_files_have_the_order_of_the_view(painted, monkeypatch):
    monkeypatch.setattr(sample_files, "PART_SIZE", 3)
    view = painted.sort_by("filepath", reverse=True).skip(1)
    files = StoredFiles(view)
    assert len(files) == len(view)
    assert [*files] == [*zip(*view.values(["id", "filepath"]), strict=True)]
    assert [len(part) for part in files.parts(3)] == [3, 3, 1]
    assert [row for part in files.parts(2) for row in part] == [*files]


def test_a_part_is_a_list_of_its_own():
    part = SampleFiles(["a", "b"], ["1.png", "2.png"])
    assert len(part) == 2
    assert [*part] == [("a", "1.png"), ("b", "2.png")]


def test_samples_may_be_skipped(painted):
    first, *rest = painted.values("id")
    assert [one for one, _ in StoredFiles(painted, skip={first})] == rest


def test_no_samples_have_no_files(painted):
    files = StoredFiles(painted.limit(0))
    assert (len(files), [*files], [*files.parts()]) == (0, [], [])


def test_samples_deleted_meanwhile_are_left_out(painted):
    files = StoredFiles(painted)
    gone, *rest = painted.values("id")
    painted.delete_samples([gone])
    assert [one for one, _ in files] == rest


def test_a_field_that_the_view_excludes_is_read(painted):
    paths = painted.values("filepath")
    painted.set_values("other", [*reversed(paths)])
    view = painted.select_fields("ground_truth")
    assert [path for _, path in StoredFiles(view, "other")] == [*reversed(paths)]


def test_each_value_of_a_field_is_checked_at_once(painted):
    painted.add_sample_field("other", fo.StringField)
    with pytest.raises(ValueError, match="must be set on all samples; it is not on 8"):
        StoredFiles(painted, "other")


def test_files_that_a_view_computes_are_read(painted):
    view = painted.set_field("filepath", fo.ViewField("filepath").replace(".", "_."))
    files = sample_files.of(view, "filepath", skip={painted.first().id})
    assert [path for _, path in files] == view.values("filepath")[1:]
    assert all(path.endswith("_.png") for _, path in files)
    assert isinstance(files, SampleFiles)
    assert isinstance(sample_files.of(painted.limit(3), "filepath"), StoredFiles)
