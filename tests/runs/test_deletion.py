"""Deleting a run deletes its own files, and only those."""

from pathlib import Path

import fiftyone as fo
import pytest

from tests.runs.made_runs import make_old_run, make_run, paths_in
from yolov1_fo import files
from yolov1_fo.runs import checkpoint, deletion, folders, ownership, records, registry


@pytest.mark.parametrize("make", [make_run, make_old_run])
def test_a_run_is_deleted_with_its_folder(painted, make):
    folder = make(painted)
    assert deletion.delete_run(painted, "one") == (
        f"run 'one' is deleted, with its folder '{folder}'"
    )
    assert not folder.exists()
    assert painted.list_runs() == []
    assert not files.find_unfinished(folder.parent)
    assert make_run(painted) == folder  # the key can be used again


@pytest.mark.parametrize("make", [make_run, make_old_run])
def test_deleting_a_clones_run_keeps_the_originals_files(painted, clone, make):
    folder = make(painted)
    copy = clone()
    before = paths_in(folder)
    message = deletion.delete_run(copy, "one")
    assert message.startswith("run 'one' is deleted; its files remain: ")
    assert copy.list_runs() == []
    assert paths_in(folder) == before
    assert registry.existing_folder(painted, "one") == str(folder)


def test_files_that_a_clone_uses_are_kept(painted, clone):
    folder = make_run(painted)
    copy = clone()
    assert deletion.delete_run(painted, "one") == (
        f"run 'one' is deleted; '{folder}' remains, used by run 'one' of dataset "
        f"'{copy.name}'"
    )
    assert checkpoint.resolve(registry.existing_folder(copy, "one"))
    assert folder not in ownership.orphans(folders.top_folder())
    copy.delete()
    assert folder in ownership.orphans(folders.top_folder())


def test_deleting_an_imported_run_deletes_no_files(painted, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "only copy.txt").write_text("precious")
    folder = make_run(painted, status="stopped")
    kind = fo.types.FiftyOneDataset
    painted.export(
        str(tmp_path / "out"), dataset_type=kind, export_media=False, progress=False
    )
    for named in (photos, Path.home(), Path("/"), folder):
        for file in (tmp_path / "out").rglob("*.json"):
            file.write_text(file.read_text().replace(str(folder), str(named)))
        imported = fo.Dataset.from_dir(str(tmp_path / "out"), kind, progress=False)
        for file in (tmp_path / "out").rglob("*.json"):
            file.write_text(file.read_text().replace(f'"{named}"', f'"{folder}"'))
        with pytest.raises(ValueError, match="but not resumed: "):
            registry.check_resumable(imported, "one")
        assert "its files remain" in deletion.delete_run(imported, "one")
        imported.delete()
        assert (photos / "only copy.txt").read_text() == "precious"
    assert checkpoint.resolve(folder)


@pytest.mark.parametrize("folder", [None, 7, "", ".", "a\0b", "/nowhere"])
def test_a_record_without_a_folder_can_be_deleted(painted, folder):
    make_run(painted)
    records.update(painted, "one", folder=folder)
    with pytest.raises(ValueError, match=r"'x' is not on dataset"):
        registry.find(painted, "x")
    deletion.delete_run(painted, "one")
    assert painted.list_runs() == []


def test_a_folder_of_an_older_version_with_other_files_is_kept(painted):
    folder = make_old_run(painted)
    (folder / "notes.txt").write_text("mine")
    assert "its files remain" in deletion.delete_run(painted, "one")
    assert (folder / "notes.txt").exists()


def test_links_are_not_followed(painted, tmp_path):
    folder = make_run(painted)
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    assert f"'{folder}' is a link" in deletion.delete_run(painted, "one")
    assert checkpoint.resolve(elsewhere)
    with pytest.raises(ValueError, match="run_key 'one' has a folder"):
        registry.check_key(painted, "one", folder)
    folder.unlink()

    folder = make_run(painted, "two")
    (folder / "outwards").symlink_to(elsewhere)
    deletion.delete_run(painted, "two")
    assert checkpoint.resolve(elsewhere)


def test_a_folder_with_a_run_of_another_dataset_in_it_is_kept(painted, clone):
    folder, other = make_run(painted), clone()
    other.delete_run("one")
    inside = make_run(other, "two", folder=folder / str(other._doc.id) / "two")
    assert f"remains, used by run 'two' of dataset '{other.name}'" in (
        deletion.delete_run(painted, "one")
    )
    assert checkpoint.resolve(inside)


def test_renamed_datasets_and_runs_keep_their_files(painted):
    folder = make_run(painted, status="stopped")
    painted.name = f"{painted.name}-renamed"
    painted.rename_run("one", "uno")
    registry.check_resumable(painted, "uno")
    with pytest.raises(ValueError, match="of a run that was deleted or renamed"):
        registry.check_key(painted, "one", folder)
    assert "with its folder" in deletion.delete_run(painted, "uno")


def test_a_failed_deletion_leaves_the_run_unchanged(painted, monkeypatch):
    folder = make_run(painted)
    before = paths_in(folder)

    def fail(*_):
        raise OSError("the database is down")

    monkeypatch.setattr(fo.Dataset, "delete_run", fail)
    with pytest.raises(OSError, match="is down"):
        deletion.delete_run(painted, "one")
    assert paths_in(folder) == before


@pytest.mark.slow
def test_a_run_that_is_being_trained_is_not_deleted(painted):
    folder = make_run(painted)
    with (
        folders.locked(folder, "one"),
        pytest.raises(
            ValueError, match="run 'one' is being trained by a process; stop"
        ),
    ):
        deletion.delete_run(painted, "one")
    assert checkpoint.resolve(folder)


@pytest.mark.parametrize("record", ["exists", "deleted"])
def test_a_killed_deletion_can_be_repeated(painted, record):
    folder = make_run(painted)
    aside = files.move_aside(folder)  # and then its process was killed
    if record == "deleted":
        painted.delete_run("one")
        make_run(painted)
    assert "is deleted" in deletion.delete_run(painted, "one")
    assert not aside.exists()
    assert painted.list_runs() == []
