import pytest

from yolov1_fo.architectures import FAST_YOLOV1, YOLOV1, Conv
from yolov1_fo.networks.costs import count, shapes


@pytest.mark.parametrize(
    ("layers", "convolutions", "million", "gflop"),
    [(YOLOV1, 24, 271.70, 40.57), (FAST_YOLOV1, 9, 45.09, 4.84)],
)
def test_counts_of_the_papers_networks(layers, convolutions, million, gflop):
    parameters, flops = count(layers, 448, outputs=1470)
    assert sum(isinstance(layer, Conv) for layer in layers) == convolutions
    assert parameters / 1e6 == pytest.approx(million, abs=0.01)
    assert flops / 1e9 == pytest.approx(gflop, abs=0.01)


def test_last_convolution_has_the_grids_resolution():
    last = [s for s in shapes(YOLOV1, 448) if isinstance(s.layer, Conv)][-1]
    assert (last.height, last.width, last.channels) == (7, 7, 1024)
