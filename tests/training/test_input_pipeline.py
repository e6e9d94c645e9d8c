"""The ways of images to the device: the same run, whichever is taken."""

import logging
from pathlib import Path

import keras
import numpy as np
import pytest

import yolov1_fo
from yolov1_fo import hardware
from yolov1_fo.disk_cache import DiskCache
from yolov1_fo.pipeline import batches, image_loading
from yolov1_fo.runs import checkpoint, folders
from yolov1_fo.training.learner import Learner

pytestmark = pytest.mark.slow

GB = 1e9


def train(dataset, micro, **settings):
    return yolov1_fo.train(
        dataset.match_tags("train"),
        val_samples=dataset.match_tags("val"),
        **{"epochs": 2, "batch_size": 2, **micro, **settings},
    )


def weights(run):
    return keras.saving.load_model(
        Path(run.checkpoint_dir) / checkpoint.NETWORK, compile=False
    ).get_weights()


@pytest.mark.parametrize("mode", ["device", "stream"])
@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_every_mode_trains_the_same(painted, micro, mode, steps_per_execution):
    settings = {"steps_per_execution": steps_per_execution, "dropout": 0.0}
    one, other = (
        train(painted, micro, data=data, **settings) for data in ("host", mode)
    )
    assert painted.get_run_info(other.run_key).config.data == mode
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_images_on_the_device_are_not_saved(painted, micro):
    sizes = []
    for mode in ("host", "device"):
        run = train(painted, micro, data=mode)
        folder = Path(run.checkpoint_dir)
        sizes.append(sum(file.stat().st_size for file in folder.rglob("*")))
    assert abs(sizes[1] - sizes[0]) < 1000


def test_a_run_on_the_device_resumes(painted, micro, monkeypatch):
    straight = train(painted, micro, data="device", epochs=3)

    def stop(epoch, metrics):
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(painted, micro, data="device", epochs=3, run_key="cut", on_epoch=stop)
    resumed = yolov1_fo.train(
        painted.match_tags("train"),
        val_samples=painted.match_tags("val"),
        resume="cut",
        progress=False,
    )
    for a, b in zip(weights(straight), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_next_run_decodes_nothing(painted, micro, monkeypatch):
    first = train(painted, micro, data="host")
    monkeypatch.setattr(
        image_loading, "read_all", lambda *_, **__: pytest.fail("decodes")
    )
    second = train(painted, micro, data="host")
    assert first.history["loss"] == second.history["loss"]
    assert (
        DiskCache(
            folders.image_cache_folder(folders.run_folder(painted, first.run_key)), 0
        ).disk_usage()
        > 0
    )


def test_without_a_cache_nothing_is_kept(painted, micro, tmp_path):
    train(painted, micro, data="host", cache_gb=0, runs_dir=tmp_path)
    assert not (tmp_path / folders.IMAGE_CACHE).exists()


class TooLittle:
    """A device that can hold so few images in a batch, or all if it is asked to."""

    def __init__(self, monkeypatch, batch_size=99, holds=True):
        self.tried = []
        fit, hold = Learner.fit, Learner.hold

        def limited_fit(learner, *arguments, **options):
            size = learner.config.batch_size
            self.tried.append(size)
            if size > batch_size:
                raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory")
            return fit(learner, *arguments, **options)

        def limited_hold(learner, images):
            if not holds:
                raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory")
            hold(learner, images)

        monkeypatch.setattr(Learner, "fit", limited_fit)
        monkeypatch.setattr(Learner, "hold", limited_hold)


def test_a_batch_that_does_not_fit_is_halved(painted, micro, monkeypatch, caplog):
    device = TooLittle(monkeypatch, batch_size=1)
    with caplog.at_level(logging.WARNING):
        run = train(painted, micro, batch_size=4, data="host")
    assert device.tried == [4, 2, 1]
    assert "starts again with batch_size=1" in caplog.text
    info = painted.get_run_info(run.run_key).config
    assert (info.status, info.settings["batch_size"]) == ("finished", 1)
    assert (
        checkpoint.read_metadata(Path(run.checkpoint_dir))["settings"]["batch_size"]
        == 1
    )


def test_images_that_do_not_fit_stay_on_the_host(painted, micro, monkeypatch, caplog):
    TooLittle(monkeypatch, holds=False)
    run = train(painted, micro, data="device")
    info = painted.get_run_info(run.run_key).config
    assert (info.data, info.settings["data"]) == ("host", "host")
    assert "starts again with data='host'" in caplog.text


def test_what_never_fits_says_so(painted, micro, monkeypatch):
    TooLittle(monkeypatch, batch_size=0)
    with pytest.raises(RuntimeError, match="Out of memory"):
        train(painted, micro, run_key="large", data="host")
    assert painted.get_run_info("large").config.status == "failed"


@pytest.mark.parametrize(
    ("device", "host", "chosen"),
    [
        (None, 100 * GB, "host"),
        (80 * GB, 100 * GB, "device"),
        (4 * GB, 100 * GB, "host"),
        (4 * GB, 8 * GB, "stream"),
        (None, 8 * GB, "stream"),
    ],
)
def test_auto_says_what_it_takes_and_why(monkeypatch, caplog, device, host, chosen):
    monkeypatch.setattr(hardware, "free_device_memory", lambda: device)
    monkeypatch.setattr(hardware, "free_host_memory", lambda: host)
    with caplog.at_level(logging.INFO):
        assert batches.choose_data_mode("auto", 10_000, 448) == chosen  # 6 GB
    assert f"data '{chosen}': 10000 images need 6.0 GB" in caplog.text
    assert f"{host / GB:.1f} GB (host)" in caplog.text
