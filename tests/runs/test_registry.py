"""Runs on a dataset: their keys, folders, locks and statuses."""

import threading
from pathlib import Path

import fiftyone as fo
import pytest

import yolov1_fo
from tests.runs.made_runs import make_run, paths_in
from yolov1_fo.runs import (
    checkpoint,
    deletion,
    folders,
    history,
    ownership,
    records,
    registry,
)
from yolov1_fo.training import loop
from yolov1_fo.training import plan as planning
from yolov1_fo.training.tasks import DETECT


@pytest.mark.slow
def test_a_clones_run_is_loaded_but_not_resumed(painted, clone, micro):
    def stop(epoch, _):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        yolov1_fo.train(painted, run_key="one", epochs=3, on_epoch=stop, **micro)
    assert caught.value.__notes__ == [
        "run 'one' was stopped after epoch 1 of 3; resume it with "
        "yolov1_fo.train(samples, resume='one'), or yolov1-fo train "
        f"{painted.name} --resume one"
    ]
    copy = clone()
    before = paths_in(folders.run_folder(painted, "one"))
    line = (
        f"run 'one' on dataset '{copy.name}' can be loaded and published, but not "
        f"resumed: .* belongs to run 'one' of dataset '{painted.name}'"
    )
    with pytest.raises(ValueError, match=line):
        yolov1_fo.train(copy, resume="one", progress=False)
    assert yolov1_fo.load_model("one", copy).classes == ["blue", "red"]
    assert paths_in(folders.run_folder(painted, "one")) == before


def test_the_error_for_an_existing_key_lists_the_options(painted):
    make_run(painted, status="stopped")
    with pytest.raises(ValueError, match="exists on dataset") as caught:
        registry.check_key(painted, "one", folders.run_folder(painted, "one"))
    assert str(caught.value).endswith(
        "; choose another, resume it with resume='one', or yolov1-fo runs delete "
        f"{painted.name} one"
    )
    records.update(painted, "one", status="finished")
    with pytest.raises(ValueError, match="choose another, or yolov1-fo runs delete"):
        registry.check_key(painted, "one", folders.run_folder(painted, "one"))


def planned(samples, *, resume=None, run_key=None, settings=None):
    """Returns what `train` plans, to be run later."""
    return planning.make(
        *(DETECT, samples, "ground_truth", None, None if resume else "yolov1"),
        resume=resume,
        run_key=run_key,
        classes=None,
        runs_dir=None,
        settings=settings or {},
    )


@pytest.mark.slow
def test_a_second_training_with_the_same_key_does_not_change_the_first(painted, micro):
    settings = {k: v for k, v in micro.items() if k != "progress"}
    late = planned(painted, run_key="same", settings={**settings, "epochs": 1})
    first = yolov1_fo.train(painted, run_key="same", epochs=1, **micro)
    before = paths_in(Path(first.checkpoint_dir).parent)
    with pytest.raises(ValueError, match="run_key 'same' exists on dataset"):
        loop.run(late, progress=False)
    assert paths_in(Path(first.checkpoint_dir).parent) == before
    assert registry.status(painted, "same") == "finished"


@pytest.mark.slow
def test_a_second_resume_does_not_change_the_finished_run(painted, micro):
    def stop(epoch, _):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.train(painted, run_key="one", epochs=2, on_epoch=stop, **micro)
    late = planned(painted, resume="one")
    yolov1_fo.train(painted, resume="one", progress=False)
    with pytest.raises(ValueError, match="run 'one' has finished"):
        loop.run(late, progress=False)
    assert registry.status(painted, "one") == "finished"


@pytest.mark.slow
def test_only_one_of_two_threads_trains(painted, micro):
    folders_of, started, finish = [], threading.Event(), threading.Event()

    def wait(epoch, _):
        started.set()
        finish.wait(60)

    def first():
        run = yolov1_fo.train(painted, run_key="same", epochs=1, on_epoch=wait, **micro)
        folders_of.append(run.checkpoint_dir)

    settings = {k: v for k, v in micro.items() if k != "progress"}
    late = planned(painted, run_key="same", settings={**settings, "epochs": 1})
    thread = threading.Thread(target=first)
    thread.start()
    assert started.wait(60)
    with pytest.raises(ValueError, match="run 'same' is being trained by a process"):
        loop.run(late, progress=False)
    finish.set()
    thread.join()
    assert checkpoint.resolve(folders_of[0])


def test_a_failed_registration_removes_only_its_own_files(painted, monkeypatch):
    def fail(*_):
        raise OSError("the database is down")

    folder = folders.run_folder(painted, "one")
    monkeypatch.setattr(fo.Dataset, "register_run", fail)
    with pytest.raises(OSError, match="is down"):
        registry.register(painted, "one", folder=str(folder))
    assert not folder.exists()
    (folder / folders.JOB).mkdir(parents=True)
    with pytest.raises(OSError, match="is down"):
        registry.register(painted, "one", folder=str(folder))
    assert paths_in(folder) == [folder / folders.JOB]


def test_the_key_of_a_killed_registration_can_be_used(painted):
    folder = folders.run_folder(painted, "one")
    folder.mkdir(parents=True)
    ownership.claim(folder, painted, "one")  # killed before the run was registered
    registry.check_key(painted, "one", folder)
    assert make_run(painted) == folder


def test_the_key_of_a_registration_killed_while_writing_can_be_used(painted):
    path = folders.run_folder(painted, "cut")
    path.mkdir(parents=True)
    (path / f".{ownership.OWNER}.0123456789abcdef.unfinished").write_text("{")
    registry.register(painted, "cut", folder=str(path))
    assert paths_in(path) == [path / ownership.OWNER]
    painted.delete_run("cut")
    (path / "last").write_text("epoch_0001")
    with pytest.raises(ValueError, match="has a folder"):
        registry.check_key(painted, "cut", path)


@pytest.mark.parametrize("status", ["running", "finished", "stopped", "failed"])
def test_a_run_is_running_only_while_it_is_locked(painted, status):
    folder = make_run(painted, status=status)
    with folders.locked(folder, "one"):
        assert registry.keys(painted) == ["one"]
        assert registry.status(painted, "one") == status
    assert registry.keys(painted) == ["one"]
    ended = "failed" if status == "running" else status
    assert painted.get_run_info("one").config.status == ended
    error = getattr(records.info(painted, "one"), "error", None)
    assert error == (registry.INTERRUPTED if status == "running" else None)
    assert registry.existing_folder(painted, "one") == str(folder)


def test_a_run_that_finishes_during_a_status_check_stays_finished(painted, monkeypatch):
    folder = make_run(painted, status="running")

    def finish(_):
        records.update(fo.load_dataset(painted.name), "one", status="finished")
        return False  # it has released the lock

    monkeypatch.setattr(folders, "is_locked", finish)
    assert registry.status(painted, "one") == "finished"
    assert folder.exists()


def test_a_run_that_was_copied_during_training_has_failed(painted, clone):
    folder = make_run(painted, status="running")
    with folders.locked(folder, "one"):
        copy = clone()
        assert registry.status(copy, "one") == "failed"
        assert records.info(copy, "one").error == registry.COPIED
        assert registry.status(painted, "one") == "running"


@pytest.mark.slow
def test_a_relative_runs_dir_is_stored_as_absolute(
    painted, micro, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    def stop(epoch, _):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.train(
            painted, run_key="one", runs_dir="my", epochs=2, on_epoch=stop, **micro
        )
    folder = tmp_path / "my" / str(painted._doc.id) / "one"
    assert records.info(painted, "one").folder == str(folder)
    monkeypatch.chdir("/")
    assert folders.dataset_folder(painted, "my") == Path("/my") / str(painted._doc.id)
    run = yolov1_fo.train(painted, resume="one", progress=False)
    assert Path(run.checkpoint_dir).parent == folder
    deletion.delete_run(painted, "one")
    assert not folder.exists()


def test_the_time_of_a_run_is_that_of_all_its_processes(painted):
    folder = make_run(painted)
    assert records.seconds(painted, "one") == 0
    history.write(folder, {"seconds": [15.5, None, 31.0]})
    assert records.seconds(painted, "one") == 31
    records.update(painted, "one", seconds=42.5)  # stopped within an epoch
    assert records.seconds(painted, "one") == 42.5
