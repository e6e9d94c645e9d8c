"""Runs on a dataset: whose their files are, who trains them, what is told of them."""

import json
import os
import signal
import threading
from dataclasses import asdict
from pathlib import Path

import fiftyone as fo
import pytest

import yolov1_fo
from yolov1_fo import files
from yolov1_fo.cli import doctor, main
from yolov1_fo.config import TrainConfig
from yolov1_fo.jobs import status
from yolov1_fo.runs import checkpoint, ownership, registry
from yolov1_fo.training import callbacks, loop
from yolov1_fo.training import plan as planning


def made(dataset, run_key="one", status="finished", folder=None):
    """Returns the folder of a run as a training leaves it, without the training."""
    folder = folder or registry.folder(dataset, run_key)
    known = {
        "folder": str(folder),
        "settings": asdict(TrainConfig(epochs=3)),
        "data": "host",
        "val_images": 0,
    }
    registry.register(dataset, run_key, **known)
    with checkpoint.writing(folder, 1, best=True) as unfinished:
        (unfinished / checkpoint.NETWORK).write_bytes(b"weights")
        metadata = {"format": 1, "run_key": run_key, "classes": [], "settings": {}}
        (unfinished / checkpoint.METADATA).write_text(json.dumps(metadata))
    registry.update(dataset, run_key, status=status, epoch=1)
    return folder


def older(dataset, run_key="one"):
    """Returns the folder of a run as versions made it that did not say whose it is."""
    folder = made(dataset, run_key)
    (folder / ownership.OWNER).unlink()
    (folder / ".lock").touch()
    record = dataset._doc.runs[run_key]
    record.config = {k: v for k, v in record.config.items() if k != "run_key"}
    record.save()
    dataset.reload()
    return folder


def everything(folder):
    return sorted(path for path in folder.rglob("*"))


@pytest.fixture
def copy(painted):
    """Makes a clone of the painted images; it goes with the test."""
    clones = []

    def clone():
        clones.append(painted.clone())
        return clones[-1]

    yield clone
    for one in clones:
        if fo.dataset_exists(one.name):
            one.delete()


@pytest.mark.parametrize("make", [made, older])
def test_a_run_is_deleted_with_its_folder(painted, make):
    folder = make(painted)
    assert registry.delete(painted, "one") == (
        f"run 'one' is deleted, with its folder '{folder}'"
    )
    assert not folder.exists()
    assert painted.list_runs() == []
    assert not files.unfinished(folder.parent)
    assert made(painted) == folder  # the name is free again


@pytest.mark.parametrize("make", [made, older])
def test_a_clones_run_is_deleted_without_the_originals_files(painted, copy, make):
    folder = make(painted)
    clone = copy()
    before = everything(folder)
    said = registry.delete(clone, "one")
    assert said.startswith("run 'one' is deleted; its files stay: ")
    assert clone.list_runs() == []
    assert everything(folder) == before
    assert registry.checkpoint_dir(painted, "one") == str(folder)


def test_the_originals_files_stay_while_a_clone_refers_to_them(painted, copy):
    folder = made(painted)
    clone = copy()
    assert registry.delete(painted, "one") == (
        f"run 'one' is deleted; '{folder}' stays for run 'one' of dataset "
        f"'{clone.name}'"
    )
    assert checkpoint.resolve(registry.checkpoint_dir(clone, "one"))
    assert folder not in ownership.orphans(registry.top())
    clone.delete()
    assert folder in ownership.orphans(registry.top())


def test_a_run_that_was_imported_names_no_folder_to_erase(painted, tmp_path):
    theirs = tmp_path / "photos"
    theirs.mkdir()
    (theirs / "only copy.txt").write_text("precious")
    folder = made(painted, status="stopped")
    kind = fo.types.FiftyOneDataset
    painted.export(
        str(tmp_path / "out"), dataset_type=kind, export_media=False, progress=False
    )
    for named in (theirs, Path.home(), Path("/"), folder):
        for file in (tmp_path / "out").rglob("*.json"):
            file.write_text(file.read_text().replace(str(folder), str(named)))
        imported = fo.Dataset.from_dir(str(tmp_path / "out"), kind, progress=False)
        for file in (tmp_path / "out").rglob("*.json"):
            file.write_text(file.read_text().replace(f'"{named}"', f'"{folder}"'))
        with pytest.raises(ValueError, match="but not resumed: "):
            registry.check_resumable(imported, "one")
        assert "its files stay" in registry.delete(imported, "one")
        imported.delete()
        assert (theirs / "only copy.txt").read_text() == "precious"
    assert checkpoint.resolve(folder)


@pytest.mark.parametrize("folder", [None, 7, "", ".", "a\0b", "/nowhere"])
def test_a_record_without_a_folder_can_be_deleted(painted, folder):
    made(painted)
    registry.update(painted, "one", folder=folder)
    with pytest.raises(ValueError, match=r"'x' is not on dataset"):
        registry.find(painted, "x")
    registry.delete(painted, "one")
    assert painted.list_runs() == []


def test_a_folder_of_an_older_version_with_other_things_in_it_stays(painted):
    folder = older(painted)
    (folder / "notes.txt").write_text("mine")
    assert "its files stay" in registry.delete(painted, "one")
    assert (folder / "notes.txt").exists()


def test_links_are_not_followed(painted, tmp_path):
    folder = made(painted)
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    assert f"'{folder}' is a link" in registry.delete(painted, "one")
    assert checkpoint.resolve(elsewhere)
    with pytest.raises(ValueError, match="run_key 'one' has a folder"):
        registry.check_key(painted, "one", folder)
    folder.unlink()

    folder = made(painted, "two")
    (folder / "outwards").symlink_to(elsewhere)
    registry.delete(painted, "two")
    assert checkpoint.resolve(elsewhere)


def test_a_folder_with_another_datasets_runs_in_it_stays(painted, copy):
    folder, other = made(painted), copy()
    other.delete_run("one")
    inside = made(other, "two", folder=folder / str(other._doc.id) / "two")
    assert f"stays for run 'two' of dataset '{other.name}'" in (
        registry.delete(painted, "one")
    )
    assert checkpoint.resolve(inside)


def test_renamed_datasets_and_runs_keep_their_files(painted):
    folder = made(painted, status="stopped")
    painted.name = f"{painted.name}-renamed"
    painted.rename_run("one", "uno")
    registry.check_resumable(painted, "uno")
    with pytest.raises(ValueError, match="of a run that was deleted or renamed"):
        registry.check_key(painted, "one", folder)
    assert "with its folder" in registry.delete(painted, "uno")


def test_a_clones_run_is_loaded_but_not_resumed(painted, copy, micro):
    def stop(epoch, _):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        yolov1_fo.train(painted, run_key="one", epochs=3, on_epoch=stop, **micro)
    assert caught.value.__notes__ == [
        "run 'one' was stopped after epoch 1 of 3; go on with resume='one', on the "
        "command line --resume one"
    ]
    clone = copy()
    before = everything(registry.folder(painted, "one"))
    line = (
        f"run 'one' on dataset '{clone.name}' can be loaded and published, but not "
        f"resumed: .* belongs to run 'one' of dataset '{painted.name}'"
    )
    with pytest.raises(ValueError, match=line):
        yolov1_fo.train(clone, resume="one", progress=False)
    assert yolov1_fo.load_model("one", clone).classes == ["blue", "red"]
    assert everything(registry.folder(painted, "one")) == before


def test_deleting_that_fails_leaves_the_run_as_it_was(painted, monkeypatch):
    folder = made(painted)
    before = everything(folder)

    def fails(*_):
        raise OSError("the database is away")

    monkeypatch.setattr(fo.Dataset, "delete_run", fails)
    with pytest.raises(OSError, match="is away"):
        registry.delete(painted, "one")
    assert everything(folder) == before


def test_a_run_that_is_trained_is_not_deleted(painted):
    folder = made(painted)
    with (
        registry.locked(folder, "one"),
        pytest.raises(
            ValueError, match="run 'one' is being trained by a process; stop"
        ),
    ):
        registry.delete(painted, "one")
    assert checkpoint.resolve(folder)


def test_the_message_for_a_taken_key_says_what_works(painted):
    made(painted, status="stopped")
    with pytest.raises(ValueError, match="exists on dataset") as caught:
        registry.check_key(painted, "one", registry.folder(painted, "one"))
    assert str(caught.value).endswith(
        "; choose another, go on with resume='one', or yolov1-fo runs delete "
        f"{painted.name} one"
    )
    registry.update(painted, "one", status="finished")
    with pytest.raises(ValueError, match="choose another, or yolov1-fo runs delete"):
        registry.check_key(painted, "one", registry.folder(painted, "one"))


def test_of_two_trainings_with_one_key_the_second_leaves_the_first_alone(
    painted, micro
):
    settings = {k: v for k, v in micro.items() if k != "progress"}
    late = planning.new(
        painted, "ground_truth", None, "same", None, None, {**settings, "epochs": 1}
    )
    first = yolov1_fo.train(painted, run_key="same", epochs=1, **micro)
    before = everything(Path(first.checkpoint_dir).parent)
    with pytest.raises(ValueError, match="run_key 'same' exists on dataset"):
        loop.run(late, progress=False)
    assert everything(Path(first.checkpoint_dir).parent) == before
    assert registry.status(painted, "same") == "finished"


def test_of_two_resumes_the_second_does_not_spoil_what_the_first_finished(
    painted, micro
):
    def stop(epoch, _):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.train(painted, run_key="one", epochs=2, on_epoch=stop, **micro)
    late = planning.again(painted, None, "one")
    yolov1_fo.train(painted, resume="one", progress=False)
    with pytest.raises(ValueError, match="run 'one' has finished"):
        loop.run(late, progress=False)
    assert registry.status(painted, "one") == "finished"


def test_of_two_threads_one_trains(painted, micro):
    told, begun, go_on = [], threading.Event(), threading.Event()

    def wait(epoch, _):
        begun.set()
        go_on.wait(60)

    def first():
        run = yolov1_fo.train(painted, run_key="same", epochs=1, on_epoch=wait, **micro)
        told.append(run.checkpoint_dir)

    settings = {k: v for k, v in micro.items() if k != "progress"}
    late = planning.new(
        painted, "ground_truth", None, "same", None, None, {**settings, "epochs": 1}
    )
    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(60)
    with pytest.raises(ValueError, match="run 'same' is being trained by a process"):
        loop.run(late, progress=False)
    go_on.set()
    thread.join()
    assert checkpoint.resolve(told[0])


def test_a_beginning_that_fails_takes_only_its_own_files_away(painted, monkeypatch):
    def fails(*_):
        raise OSError("the database is away")

    folder = registry.folder(painted, "one")
    monkeypatch.setattr(fo.Dataset, "register_run", fails)
    with pytest.raises(OSError, match="is away"):
        registry.register(painted, "one", folder=str(folder))
    assert not folder.exists()
    (folder / registry.JOB).mkdir(parents=True)
    with pytest.raises(OSError, match="is away"):
        registry.register(painted, "one", folder=str(folder))
    assert everything(folder) == [folder / registry.JOB]


def test_a_beginning_that_was_killed_frees_its_key(painted):
    folder = registry.folder(painted, "one")
    folder.mkdir(parents=True)
    ownership.claim(folder, painted, "one")  # and died before the run was registered
    registry.check_key(painted, "one", folder)
    assert made(painted) == folder


def test_a_beginning_that_was_killed_as_it_wrote_whose_it_is_frees_its_key(painted):
    path = registry.folder(painted, "cut")
    path.mkdir(parents=True)
    (path / f".{ownership.OWNER}.0123456789abcdef.unfinished").write_text("{")
    registry.register(painted, "cut", folder=str(path))
    assert everything(path) == [path / ownership.OWNER]
    painted.delete_run("cut")
    (path / "last").write_text("epoch_0001")
    with pytest.raises(ValueError, match="has a folder"):
        registry.check_key(painted, "cut", path)


@pytest.mark.parametrize("status", ["running", "finished", "stopped", "failed"])
def test_a_run_is_running_only_while_it_is_locked(painted, status):
    folder = made(painted, status=status)
    with registry.locked(folder, "one"):
        assert registry.keys(painted) == ["one"]
        assert registry.status(painted, "one") == status
    assert registry.keys(painted) == ["one"]
    ended = "failed" if status == "running" else status
    assert painted.get_run_info("one").config.status == ended
    said = getattr(registry.info(painted, "one"), "error", None)
    assert said == (registry.INTERRUPTED if status == "running" else None)
    assert registry.checkpoint_dir(painted, "one") == str(folder)


def test_a_run_that_finishes_while_somebody_looks_stays_finished(painted, monkeypatch):
    folder = made(painted, status="running")

    def finishes(_):
        registry.update(fo.load_dataset(painted.name), "one", status="finished")
        return False  # it has let go of the lock

    monkeypatch.setattr(registry, "is_locked", finishes)
    assert registry.status(painted, "one") == "finished"
    assert folder.exists()


def test_a_run_that_was_copied_while_it_is_trained(painted, copy):
    folder = made(painted, status="running")
    with registry.locked(folder, "one"):
        clone = copy()
        assert registry.status(clone, "one") == "failed"
        assert registry.info(clone, "one").error == registry.COPIED
        assert registry.status(painted, "one") == "running"


def test_a_relative_runs_dir_is_kept_absolute(painted, micro, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def stop(epoch, _):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.train(
            painted, run_key="one", runs_dir="my", epochs=2, on_epoch=stop, **micro
        )
    folder = tmp_path / "my" / str(painted._doc.id) / "one"
    assert registry.info(painted, "one").folder == str(folder)
    monkeypatch.chdir("/")
    assert registry.root(painted, "my") == Path("/my") / str(painted._doc.id)
    run = yolov1_fo.train(painted, resume="one", progress=False)
    assert Path(run.checkpoint_dir).parent == folder
    registry.delete(painted, "one")
    assert not folder.exists()


def test_runs_are_listed_shown_and_deleted_on_the_command_line(painted, copy, capsys):
    def said(*words, code=0):
        assert main.main(["runs", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return out if code == 0 else err

    assert said("list", painted.name) == (
        f"dataset '{painted.name}' has no training runs\n"
    )
    folder = made(painted, "one", status="running")  # its process was killed
    (folder / "log.csv").write_text("epoch,loss,val_voc07\n1,2.5,\n2,1.5,0.25\n")
    made(painted, "two")
    lines = said("list", painted.name).splitlines()
    assert lines[0].split() == [
        *("run", "status", "network", "epochs", "best", "begun", "folder")
    ]
    assert lines[2].split()[:3] == ["two", "finished", "yolov1"]
    assert lines[3].split()[:2] == ["one", "failed"]
    assert lines[3].endswith(str(folder))
    shown = said("show", painted.name, "one")
    for part in (
        registry.INTERRUPTED,
        "learning_rate",
        "val_voc07",
        "1.5000",
        str(folder),
    ):
        assert part in shown

    clone = copy()
    assert "its files stay" in said("delete", clone.name, "one")
    assert f"with its folder '{folder}'" in said("delete", painted.name, "one")
    assert painted.reload() is None
    assert painted.list_runs() == ["two"]
    assert "run 'one' is not on dataset" in said("delete", painted.name, "one", code=2)
    assert "run 'one' is not on dataset" in said("show", painted.name, "one", code=2)
    assert "dataset 'nowhere' does not exist" in said("list", "nowhere", code=2)


def test_a_record_that_is_not_ours_is_one_row(painted):
    folder = made(painted)
    (folder / "log.csv").write_text("epoch,loss\n1,many\n")
    [row] = status.rows(painted)
    assert (row.status, row.history) == ("finished", {})
    for changed in ({"settings": 7}, {"settings": {}}, {"epoch": "x"}, {"folder": 7}):
        registry.update(painted, "one", **changed)
        [row] = status.rows(painted)
        assert row.says.startswith("its record can't be read: ")


def test_interrupted_on_the_command_line_it_says_how_it_goes_on(
    painted, micro, capsys, monkeypatch
):
    def interrupted(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(callbacks.EndOfEpoch, "on_epoch_end", interrupted)
    words = [
        "--network",
        "micro",
        "--image-size",
        "32",
        "--S",
        "2",
        "--batch-size",
        "2",
    ]
    code = main.main(["train", painted.name, "--run-key", "one", *words])
    assert code == 143
    assert capsys.readouterr().err.startswith(
        "yolov1-fo: run 'one' was stopped after epoch 0 of 135; go on with resume='one'"
    )
    painted.reload()
    assert registry.status(painted, "one") == "stopped"


def test_doctor_names_runs_that_nothing_knows(painted):
    folder = made(painted)
    assert str(folder) not in str(list(doctor._runs()))
    painted.delete_run("one")
    assert folder in ownership.orphans(registry.top())
    [check] = [one for one in doctor._runs() if one.state == doctor.FAIR]
    assert str(folder.parent.parent) in str(check)


@pytest.mark.parametrize("when", ["before the record is gone", "after it is"])
def test_a_deletion_that_was_killed_can_be_done_again(painted, when):
    folder = made(painted)
    aside = files.set_aside(folder)  # and then it died
    if when == "after it is":
        painted.delete_run("one")
        made(painted)
    assert "is deleted" in registry.delete(painted, "one")
    assert not aside.exists()
    assert painted.list_runs() == []
