"""The log of a training is shown unless logging is configured."""

import logging

import pytest

from yolov1_fo.training.shown_log import shown_log

LOGGER = logging.getLogger("yolov1_fo.somewhere")


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    monkeypatch.setattr(logging.getLogger("yolov1_fo"), "level", logging.NOTSET)


def test_lines_are_shown_once(capsys):
    with shown_log(True):
        LOGGER.info("S = 20")
    LOGGER.info("later")
    assert capsys.readouterr().out == "S = 20\n"


def test_nothing_is_shown_without_progress(capsys):
    with shown_log(False):
        LOGGER.info("S = 20")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["", "yolov1_fo"])
def test_a_configured_log_is_left_alone(capsys, monkeypatch, name):
    monkeypatch.setattr(logging.getLogger(name), "level", logging.INFO)
    with shown_log(True):
        LOGGER.info("S = 20")
    assert capsys.readouterr().out == ""


def test_afterwards_the_log_is_as_before():
    logger = logging.getLogger("yolov1_fo")
    before = logger.level, list(logger.handlers), logger.propagate
    with pytest.raises(OSError, match="full"), shown_log(True):
        raise OSError("full")
    assert (logger.level, list(logger.handlers), logger.propagate) == before
