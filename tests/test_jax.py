"""Networks and training steps on JAX, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import tempfile
from pathlib import Path

import numpy as np
from tests.micro import GOLDEN
from yolov1_fo.networks import build, darknet_weights, predictor
from yolov1_fo.training import loop
from yolov1_fo.architectures import NETWORKS, Architecture, Connected, Conv, Pool
from yolov1_fo.config import TrainConfig
from yolov1_fo.training.learner_builder import build_learner

layers = (Conv(8, 3, 2), Pool(), Conv(16, 3), Pool(), Connected(32))
NETWORKS["micro"] = Architecture(layers)
config = TrainConfig(
    network="micro", image_size=32, S=2, C=2, ema_momentum=0.5, learning_rate=1e-3
)
rng = np.random.default_rng(0)
batch = {
    "images": rng.integers(0, 256, (4, 32, 32, 3), np.uint8),
    "boxes": np.tile(np.float32([0.1, 0.2, 0.6, 0.7]), (4, 3, 1)),
    "class_ids": rng.integers(-1, 2, (4, 3)).astype(np.int32),
}

def loss_of(learner):  # without augmentation
    return learner.evaluate(batch, batch_size=2, return_dict=True, verbose=0)["loss"]

def assert_learns(learner):
    before = loss_of(learner)
    losses = learner.fit(batch, batch_size=2, epochs=4, verbose=0).history["loss"]
    assert np.isfinite(losses).all(), losses
    assert loss_of(learner) < before

learner = build_learner(config, 2)
assert_learns(learner)
assert int(learner.step) == 8
assert learner.network.predict_on_batch(batch["images"] / 255.0).shape == (4, 48)

mosaics = build_learner(TrainConfig(**{**vars(config), "mosaic": 0.5}), 2)
losses = mosaics.fit(batch, batch_size=2, epochs=4, verbose=0).history["loss"]
assert np.isfinite(losses).all(), losses

held = build_learner(config, 2)
held.hold(batch)
rows = {"rows": np.arange(4, dtype=np.int32)}
held_losses, losses = (
    one.fit(batch, batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"]
    for one, batch in ((held, rows), (build_learner(config, 2), batch))
)
np.testing.assert_allclose(held_losses, losses, rtol=1e-5)
y_pred = predictor.Predictor(held.network, "bfloat16")(batch["images"][:3])
assert y_pred.shape == (3, 48) and y_pred.dtype == np.float32

NETWORKS["darknet"] = GOLDEN["micro"]  # with every type of Darknet's layers
config = TrainConfig(
    network="darknet", image_size=32, S=2, C=2, hue=0.1, align_corners=True,
    softmax=True, rmse_fallback=True, schedule="darknet-tiny",
)
learner = build_learner(config, 2)
assert_learns(learner)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "a.weights"
    darknet_weights.write(path, learner.network)
    again = build.detector(config, seed=9)
    darknet_weights.read(path, again)
    for a, b in zip(again.get_weights(), learner.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
print("trained on", __import__("keras").backend.backend())
"""


@pytest.mark.slow
def test_a_step_runs_on_jax():
    pytest.importorskip("jax", reason="needs the extra jax")
    result = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        cwd=Path(__file__).parent.parent,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "trained on jax"
