"""A training without settings: recipe, automatic settings, split, device."""

import shutil

import fiftyone as fo
import pytest

import yolov1_fo
from tests import painting
from tests.training.test_resume import Killed, assert_same_run
from yolov1_fo.config import TrainConfig
from yolov1_fo.runs import records
from yolov1_fo.training import plan as planning
from yolov1_fo.training.tasks import DETECT

FEW = {"epochs": 2, "image_size": 32, "S": 2, "progress": False}


@pytest.fixture
def dozen(painted_files, tmp_path):
    """A dataset of twelve images, so that one is put aside."""
    files = []
    for number in range(12):
        one = painted_files[number % 5]  # all with objects
        copy = tmp_path / f"{number:02d}.png"
        shutil.copy(one["path"], copy)
        files.append({**one, "path": copy})
    dataset = fo.Dataset()
    painting.add(dataset, files)
    yield dataset
    dataset.delete()


def plan_of(samples, network=None, val_samples=None, weights=None, **settings):
    return planning.make(
        *(DETECT, samples, "ground_truth", val_samples, network),
        resume=None,
        run_key=None,
        classes=None,
        runs_dir=None,
        settings=settings,
        weights=weights,
    )


def test_without_settings_it_is_the_recipe_of_the_default_network(dozen, caplog):
    caplog.set_level("INFO", logger="yolov1_fo")
    config = plan_of(dozen).config
    recipe = TrainConfig.for_network()
    assert (config.network, config.recipe) == (recipe.network, "transfer")
    chosen = {"S", "C", "batch_size", "epochs", "ema_momentum"}
    for name in set(TrainConfig.names()) - chosen:
        assert getattr(config, name) == getattr(recipe, name), name
    assert "yolov1-efficientnet-lite0 with recipe 'transfer' at 320 px" in caplog.text
    assert "1 of 12 images are held out for validation: those whose" in caplog.text


def test_the_papers_networks_take_the_papers_recipe_by_name(painted):
    config = plan_of(painted, "yolov1", recipe="paper", batch_size=4).config
    paper = TrainConfig(C=2, batch_size=4, epochs=135)
    assert config == paper


def test_from_random_weights_they_take_another(painted, caplog):
    caplog.set_level("INFO", logger="yolov1_fo")
    config = plan_of(painted, "fast-yolov1").config
    assert (config.recipe, config.batch_norm, config.S) == ("scratch", True, 7)
    assert "fast-yolov1 with recipe 'scratch' at 448 px" in caplog.text


def test_what_the_caller_names_wins(painted):
    config = plan_of(painted, S=5, batch_size=3, dropout=0.25, flip=0.125).config
    assert (config.S, config.batch_size) == (5, 3)
    assert (config.dropout, config.flip) == (0.25, 0.125)


def test_given_validation_samples_nothing_is_put_aside(dozen):
    plan = plan_of(dozen.limit(8), val_samples=dozen.skip(8))
    assert (len(plan.listing.ids), len(plan.validation.ids)) == (8, 4)
    assert not plan.put_aside


def test_few_images_are_all_trained_on(painted, caplog):
    caplog.set_level("INFO", logger="yolov1_fo")
    plan = plan_of(painted)
    assert (len(plan.listing.ids), plan.validation) == (8, None)
    assert "no validation split; the best checkpoint has the lowest loss" in caplog.text


def test_a_fraction_of_0_trains_on_all_images(dozen):
    plan = plan_of(dozen, val_fraction=0)
    assert (len(plan.listing.ids), plan.validation) == (12, None)


def test_the_split_of_a_training_is_that_of_split(dozen):
    plan = plan_of(dozen, val_fraction=0.25)
    train, val = yolov1_fo.split(dozen, 0.25)
    assert set(plan.listing.ids) == set(train.values("id"))
    assert set(plan.validation.ids) == set(val.values("id"))


@pytest.mark.slow
def test_a_resumed_training_puts_the_same_images_aside(dozen, micro):
    settings = {**micro, **FEW, "jitter": 0.1, "val_fraction": 0.25}
    whole = yolov1_fo.train(dozen, run_key="whole", **settings)
    assert "val_voc07" in whole.history

    def die(epoch, metrics):
        raise Killed

    with pytest.raises(Killed):
        yolov1_fo.train(dozen, run_key="cut", on_epoch=die, **settings)
    records.update(dozen, "cut", status="running")
    assert_same_run(yolov1_fo.train(dozen, resume="cut", progress=False), whole)


@pytest.mark.slow
def test_the_recipe_from_random_weights_trains(dozen, micro):
    settings = {**micro, **FEW, "epochs": 12}
    for name in ("recipe", "batch_size", "learning_rate", "dropout"):
        settings.pop(name)
    run = yolov1_fo.train(dozen, **settings)
    assert run.config.recipe == "scratch"
    assert run.history["loss"][-1] < 0.8 * run.history["loss"][0]


@pytest.mark.slow
def test_a_device_is_chosen_by_name(painted, micro):
    run = yolov1_fo.train(painted, device="cpu", **{**micro, "epochs": 1})
    record = painted.get_run_info(run.run_key).config
    assert record.device.startswith("CPU")


@pytest.mark.parametrize(
    ("device", "kind", "line"),
    [
        (7, ValueError, "device 7 does not exist; there are: cpu:0"),
        ("gpu", ValueError, "device 'gpu' does not exist"),
        (1.5, TypeError, "device must be a number or a name, got 1.5"),
    ],
)
def test_absent_devices_are_one_line(painted, micro, device, kind, line):
    with pytest.raises(kind, match=line):
        yolov1_fo.train(painted, device=device, **micro)
    assert not painted.list_runs()


def test_one_device_and_several_are_one_line(painted, micro):
    with pytest.raises(ValueError, match="device='cpu' names one device, and devices"):
        yolov1_fo.train(painted, device="cpu", devices=2, **micro)
    assert not painted.list_runs()


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"recipe": "fast"}, "recipe must be one of paper, scratch, darknet"),
        ({"network": "yolo"}, "network must be one of yolov1"),
        ({"val_fraction": 1.0}, r"val_fraction must be in \[0, 0.9\], got 1.0"),
        ({"monitor": "map"}, "monitor must be one of val_voc07"),
        ({"recipes": "paper"}, "unknown setting recipes .did you mean recipe"),
    ],
)
def test_bad_settings_are_one_line(painted, given, line):
    with pytest.raises(ValueError, match=line) as error:
        yolov1_fo.train(painted, **given)
    assert "\n" not in str(error.value)
    assert not painted.list_runs()
