import pytest


@pytest.fixture
def listing(painted):
    from yolov1_fo.training import examples  # imports FiftyOne

    return examples.load(painted, "ground_truth", ["blue", "red"])
