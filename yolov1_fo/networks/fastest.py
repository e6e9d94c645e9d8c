"""Chooses what computes a network fastest, while it computes."""

import logging
import math
import threading
import time
from collections.abc import Callable

import keras

from yolov1_fo import hardware
from yolov1_fo.boxes import Array
from yolov1_fo.networks import runtimes
from yolov1_fo.networks.conversions import Conversion, weight_bytes
from yolov1_fo.networks.runtimes import Run

logger = logging.getLogger(__name__)

MIN_GAIN = 0.05
"""A runtime is chosen if it takes this much less time than Keras."""
USUAL_GAIN = 0.3
"""Share of Keras' time that a runtime is expected to save, before it is measured."""
REPEATS = 3
"""Measurements of a runtime, of which the fastest counts."""
CONVERTING, CONVERTING_PER_GB = 2.0, 10.0
"""About how long a conversion takes, in seconds."""
LOADING, LOADING_PER_GB = 0.3, 3.0
"""About how long it takes to load a kept conversion, in seconds."""


class Fastest:
    """Computes with Keras, until it has measured which runtime is the fastest.

    It converts the network, or loads its kept conversion, only if that pays for the
    images that remain. If their number is unknown, it waits until Keras has computed
    for about as long as that takes. While another process converts the network, Keras
    computes.

    Args:
        network: that is computed
        precision: of the computation
        with_keras: computes with Keras
        conversion: of the network
        remaining: returns how many images remain after the current batch; None if that
            is unknown
    """

    def __init__(
        self,
        network: keras.Model,
        precision: str,
        with_keras: Run,
        conversion: Conversion,
        remaining: Callable[[], int | None] = lambda: None,
    ) -> None:
        self.precision, self.with_keras = precision, with_keras
        self.conversion, self.remaining = conversion, remaining
        gigabytes = weight_bytes(network) / 1e9
        self.converting = CONVERTING + CONVERTING_PER_GB * gigabytes
        self.loading = LOADING + LOADING_PER_GB * gigabytes
        can = [name for name in runtimes.RUNTIMES if self._can(name, network)]
        self.names = [] if hardware.has_accelerator() else can
        self._chosen = None if self.names else with_keras
        self._seconds: dict[int, float] = {}  # the least, by the size of the batch
        self._total = 0.0
        self._lock = threading.Lock()

    def __call__(self, pixels: Array) -> Array:
        """Returns the output: (N, ...) float32.

        Args:
            pixels: (N, H, W, 3) uint8
        """
        with self._lock:
            if self._chosen is None:
                return self._measured(pixels)
        return self._chosen(pixels)

    def _measured(self, pixels: Array) -> Array:
        """Returns the output by Keras; chooses a runtime if it is time for that."""
        outputs, seconds = _timed(self.with_keras, pixels)
        size = len(pixels)
        if size not in self._seconds:  # Keras compiles for the first batch of a size
            self._seconds[size] = math.inf
            return outputs
        least = self._seconds[size] = min(self._seconds[size], seconds)
        self._total += seconds
        try:
            if self._is_time(least, size):
                self._chosen = self._choose(pixels, outputs, least)
        except TimeoutError:  # another process converts it
            logger.debug("another process converts the network")
        except Exception as error:  # such as a full disk
            logger.debug("no runtime but Keras is used: %s", error)
            self._chosen = self.with_keras
        return outputs

    def _is_time(self, seconds: float, size: int) -> bool:
        """Returns whether to choose now.

        Args:
            seconds: that Keras takes for a batch
            size: of the batch
        """
        measuring = len(self.names) * (1 + REPEATS) * seconds

        def pays(cost: float) -> bool:
            remaining = self.remaining()
            if remaining is None:
                return self._total >= cost
            return USUAL_GAIN * seconds * remaining / size >= cost + measuring

        return pays(self.loading) and (
            pays(self.converting) or self.conversion.is_kept()
        )

    def _can(self, name: str, network: keras.Model) -> bool:
        """Returns whether a runtime may be able to compute the network."""
        try:
            runtimes.check(name, network, self.precision)
        except (ImportError, ValueError):
            return False
        return True

    def _choose(self, pixels: Array, expected: Array, seconds: float) -> Run:
        """Returns what computes a batch fastest.

        Args:
            pixels: of the batch
            expected: its output by Keras
            seconds: that Keras takes

        Raises:
            TimeoutError: if another process converts the network
        """
        runs = {runtimes.KERAS: self.with_keras}
        times = {runtimes.KERAS: seconds}
        found = runtimes.load(
            *(self.names, self.conversion, self.precision, pixels, expected),
            wait=False,
        )
        for name, run in found.items():
            if isinstance(run, Exception):
                label = runtimes.RUNTIMES[name].label
                logger.debug("%s is not used: %s", label, run)
                continue
            runs[name] = run
            times[name] = min(_timed(run, pixels)[1] for _ in range(REPEATS))
        needed = {**times, runtimes.KERAS: seconds * (1 - MIN_GAIN)}
        best = min(needed, key=needed.__getitem__)
        if len(runs) > 1:
            logger.info("%s", _comparison(best, times, len(pixels)))
        return runs[best]


def _comparison(chosen: str, times: dict[str, float], size: int) -> str:
    """Returns what was chosen, and how long a batch of a size takes, as text."""

    def label(name: str) -> str:
        return "Keras" if name == runtimes.KERAS else runtimes.RUNTIMES[name].label

    each = {name: f"{1e3 * time / size:.3g} ms" for name, time in times.items()}
    others = [f"{label(name)} takes {each[name]}" for name in each if name != chosen]
    line = f"{label(chosen)} computes the predictions: {each[chosen]} per image"
    return ", ".join([line, *others])


def _timed(run: Run, pixels: Array) -> tuple[Array, float]:
    start = time.perf_counter()
    outputs = run(pixels)
    return outputs, time.perf_counter() - start
