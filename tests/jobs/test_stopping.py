"""Jobs are interrupted at once, or between two batches."""

import signal
import sys
import time

import pytest

from yolov1_fo.jobs.stopping import StopRequest


@pytest.fixture
def stop(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # is restored
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    request = StopRequest()
    request.handle()
    yield request
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_is_interrupted_at_once(stop, number):
    stop.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_an_interrupt_that_python_ignores_comes_again(stop):
    class Destructed:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    def work():
        Destructed()
        time.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        work()


def test_a_job_that_writes_is_interrupted_between_two_batches(stop):
    written = []

    def write():
        for batch in range(3):
            stop.check()
            if batch == 1:
                signal.raise_signal(signal.SIGTERM)
            written.append(batch)

    with stop.only_in_check(), pytest.raises(KeyboardInterrupt):
        write()
    assert written == [0, 1]


def test_a_second_signal_interrupts_at_once(stop):
    with stop.only_in_check():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_a_request_that_comes_too_late_changes_nothing(stop):
    with stop.only_in_check():
        signal.raise_signal(signal.SIGTERM)
