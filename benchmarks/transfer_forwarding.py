"""Speed of the transfer network's forward pass, in each runtime and other libraries."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import forwarding
from benchmarks.forwarding import Case
from benchmarks.measuring import Figure

NETWORK = "yolov1-efficientnet-lite0"
CASES = [Case(NETWORK, size, batch) for size in (256, 320) for batch in (1, 8, 32)]


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields images per second and ratios."""
    yield from forwarding.measured([Case(NETWORK, 64, 2)] if quick else CASES, quick)
