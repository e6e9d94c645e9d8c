"""Recipes: data with reasons, the same for Python, command line and form."""

import pytest

from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import TrainConfig, recipes


def test_the_papers_recipe_is_the_defaults_of_the_settings():
    for name, choice in recipes.PAPER.items():
        assert choice.value == getattr(TrainConfig, name), name
        assert not choice.is_automatic, name


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_every_setting_of_a_recipe_exists_and_has_a_reason(recipe):
    for name, choice in recipes.RECIPES[recipe].items():
        assert name in TrainConfig.names()
        assert len(choice.reason) > 5
        assert choice.reason == choice.reason.strip().rstrip(".")


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_has_a_valid_recipe(network):
    config = TrainConfig.for_network(network)
    assert (config.network, config.recipe) == (network, recipes.choose(network))
    for recipe in recipes.RECIPES:
        assert TrainConfig.for_network(network, recipe).recipe == recipe


def test_linear_outputs_have_the_papers_loss():
    shown = recipes.values("transfer", recipes.DEFAULT_NETWORK)
    assert (shown["output_activation"], shown["box_loss"]) == ("sigmoid", "ciou")
    for known in ({"output_activation": "linear"}, {"network": "yolov1"}):
        network = known.get("network", recipes.DEFAULT_NETWORK)
        left = recipes.values("transfer", **{"network": network, **known})
        config = TrainConfig(**{"network": network, **known, **left})
        assert (config.box_loss, config.score_loss) == ("squared", "squared")
        assert config.rescore
        assert config.scale_noobj
        assert not config.neighbor_cells
        assert "scale_noobj" in str(config)
        assert "ciou" not in str(config)


def test_recipes_follow_from_the_network_and_from_what_it_starts_from():
    assert recipes.choose("yolov1") == "scratch"
    assert recipes.choose("fast-yolov1", "classifier") == "paper"
    assert recipes.choose("darknet-yolov1") == "darknet"
    assert recipes.choose("darknet-yolov1-tiny") == "darknet-tiny"
    assert recipes.choose("yolov1-resnet50v2") == "transfer"
    assert recipes.choose("yolov1", "detector") == "fine-tune"


def test_a_recipe_prints_as_a_table_with_reasons():
    lines = str(TrainConfig.for_network("yolov1", "paper")).splitlines()
    assert lines[0] == "recipe paper"
    row = next(line for line in lines if line.startswith("epochs"))
    assert row.split() == ["epochs", "135", "section", "2.2"]
    shown = str(TrainConfig.for_network())
    assert "auto (20)" in shown
    assert max(map(len, shown.splitlines())) <= 125


def test_what_differs_from_a_recipe_is_marked():
    config = TrainConfig.for_network()
    values = {name: getattr(config, name) for name in config.names()}
    shown = str(TrainConfig(**{**values, "dropout": 0.3, "S": 10}))
    rows = {line.split()[0]: line for line in shown.splitlines()[3:]}
    assert rows["dropout"].split() == ["dropout", "0.3", "given"]
    assert rows["S"].split()[1:3] == ["10", "chosen:"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("yolov2",), "network must be one of yolov1"),
        (("yolov1", "fast"), "recipe must be one of paper, scratch"),
    ],
)
def test_unknown_names_are_one_line(arguments, line):
    with pytest.raises(ValueError, match=line) as error:
        TrainConfig.for_network(*arguments)
    assert "\n" not in str(error.value)


def test_a_time_limit_needs_a_schedule_without_fixed_steps():
    with pytest.raises(ValueError, match="max_minutes needs a schedule among paper, "):
        TrainConfig(max_minutes=5, schedule="darknet-yolov1")
    assert TrainConfig(max_minutes=5).max_minutes == 5
