"""The Ray cluster that predictions and trainings use."""

import contextlib
import re
import signal
import threading
from collections.abc import Iterator
from typing import NamedTuple

_COLORS = re.compile(r"\x1b\[[0-9;]*m")


class Workers(NamedTuple):
    """How workers are placed in the cluster.

    Attributes:
        number: of workers; each reserves a CPU core
        has_gpus: whether each reserves a GPU
        machines: number of machines with CPU cores
    """

    number: int
    has_gpus: bool
    machines: int


@contextlib.contextmanager
def connected(*, shows_output: bool = False) -> Iterator[None]:
    """Connects to the cluster that is configured, or starts one on this machine.

    A connection that exists already is used, and kept. SIGTERM keeps its handler, which
    Ray would replace by one that ends the process without any cleanup.

    Args:
        shows_output (False): whether a new connection shows what workers print

    Raises:
        OSError: if the cluster does not answer
    """
    import ray

    if ray.is_initialized():
        yield
        return
    with keeps_handler(signal.SIGTERM):
        try:
            ray.init(log_to_driver=shows_output)
        except Exception as error:  # Ray raises errors of many types
            raise OSError(f"Ray can't be reached: {reason(error)}") from error
    try:
        yield
    finally:
        with keeps_handler(signal.SIGTERM):
            ray.shutdown()


@contextlib.contextmanager
def keeps_handler(number: signal.Signals) -> Iterator[None]:
    """Sets the handler again that a signal had; only the main thread can."""
    handler = signal.getsignal(number)
    try:
        yield
    finally:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and handler is not None:  # None: not a handler of Python
            signal.signal(number, handler)


def reason(error: Exception) -> str:
    """Returns an error of Ray in one line: what failed, and why."""
    text = _COLORS.sub("", str(error)).strip() or repr(error)
    first, *others = [line.strip() for line in text.splitlines() if line.strip()]
    if getattr(error, "actor_init_failed", False) and others:
        return others[-1]  # of the traceback
    return " ".join([first, *others[-1:]])


def plan_workers(
    wanted: int = 0, argument: str = "num_workers", *, per_machine: bool = False
) -> Workers:
    """Returns how workers are placed in the connected cluster.

    Args:
        wanted (0): number of workers; 0 means one per GPU or, without GPUs, one per CPU
            core
        argument ("num_workers"): what the caller calls it
        per_machine (False): whether 0 means one per machine instead of one per core

    Raises:
        ValueError: if the cluster has fewer GPUs or, without GPUs, fewer CPU cores
        OSError: if it has no CPU cores
    """
    import ray

    resources = ray.cluster_resources()
    cores, gpus = (int(resources.get(name, 0)) for name in ("CPU", "GPU"))
    machines = sum(bool(node["Resources"].get("CPU")) for node in ray.nodes())
    if not cores:
        raise OSError("the Ray cluster has no CPU cores; have its workers started?")
    number = wanted or gpus or (machines if per_machine else cores)
    limit, what = (gpus, "GPUs") if gpus else (cores, "CPU cores")
    if number > limit:
        raise ValueError(
            f"{argument} must be at most {limit}, the {what} of the Ray cluster, "
            f"got {number}"
        )
    return Workers(number, gpus > 0, machines)
