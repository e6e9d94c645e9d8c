import ast
import json
import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import PIL.Image
import pytest

import yolov1_fo
from tests.micro import GOLDEN, MICRO, lived_in
from tests.same import assert_same
from yolov1_fo import decode, images
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.cli import main
from yolov1_fo.config import GridConfig, NetworkConfig
from yolov1_fo.datasets import fiftyone_boxes
from yolov1_fo.inference import exporting
from yolov1_fo.model.yolov1_model import YOLOv1Model, YOLOv1ModelConfig
from yolov1_fo.networks import build, formats

ROOT = Path(__file__).parents[2]
FORMATS = ("saved_model", "onnx", "openvino", "litert")

MICRO_SETTINGS = {"network": "micro", "image_size": 32, "S": 2}
CASES = {
    "normalized": (MICRO, {**MICRO_SETTINGS, "batch_norm": True}),
    "plain": (MICRO, MICRO_SETTINGS),
    "local": (GOLDEN["micro"], MICRO_SETTINGS),  # with Darknet's normalization
    "weights": (
        None,
        {
            "network": "yolov1-efficientnet-lite0",
            "image_size": 64,
            "S": 4,
            "pretrained": False,
            "head_filters": 8,
            "batch_norm": True,
        },
    ),
}

# Makes importing the packages that wrote the export fail.
WITHOUT = """
import sys
for name in ("keras", "tensorflow", "jax", "fiftyone", "eta"):
    sys.modules[name] = None
"""


def untrained(settings):
    """Returns a model with random weights and normalization statistics."""
    config = {"settings": settings, "classes": ["blue", "green", "red"]}
    model = YOLOv1Model(YOLOv1ModelConfig(config))
    lived_in(model.network)
    return model


def served(path, format):
    """Returns a function that runs an export: pixels to the raw output."""
    if format == "saved_model":
        import tensorflow as tf

        loaded = tf.saved_model.load(path)
        return lambda pixels: loaded.serve(pixels).numpy()
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path)
        return lambda pixels: session.run(None, {"image": pixels})[0]
    if format == "openvino":
        return lambda pixels: formats.FORMATS[format].load(path)(pixels)[0]
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(path)).get_signature_runner()
    return lambda pixels: next(iter(run(image=pixels).values()))


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_an_export_has_the_same_output_as_keras(monkeypatch, tmp_path, case, format):
    architecture, settings = CASES[case]
    if architecture:
        monkeypatch.setitem(NETWORKS, "micro", architecture)
    model = untrained(settings)
    path = yolov1_fo.export(model, tmp_path / "new" / "it", format=format)
    run = served(path, format)
    for n in (1, 3):
        pixels = np.random.default_rng(n).random((n, *model.network.input_shape[1:]))
        pixels = pixels.astype(np.float32)
        expected = model.network.predict_on_batch(pixels)
        got = run(pixels)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, atol=1e-4)
    assert sorted(file.name for file in path.parent.iterdir()) == ["it", "it.json"]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["normalized", "local"])
def test_weights_that_bypass_the_conversion_to_onnx(monkeypatch, tmp_path, case):
    import onnx

    monkeypatch.setitem(NETWORKS, "micro", CASES[case][0])
    monkeypatch.setattr(formats, "_LARGE", 1)  # all of them
    model = untrained(CASES[case][1])
    path = yolov1_fo.export(model, tmp_path / "it", "onnx")
    exported = onnx.load(path).graph
    onnx.checker.check_model(path)
    assert [one.name for one in (*exported.input, *exported.output)] == [
        "image",
        "output",
    ]
    pixels = np.random.default_rng(1).random((2, 32, 32, 3), np.float32)
    expected = model.network.predict_on_batch(pixels)
    np.testing.assert_allclose(served(path, "onnx")(pixels), expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_half_precision_is_exported_as_float32(monkeypatch, tmp_path, format):
    monkeypatch.setitem(NETWORKS, "micro", MICRO)
    settings = CASES["normalized"][1]
    full = untrained(settings)
    half = untrained(settings)
    config = NetworkConfig.pick(half.metadata["settings"])
    half.network = build.detector(config, precision="mixed_bfloat16")
    half.network.set_weights(full.network.get_weights())
    run = served(yolov1_fo.export(half, tmp_path / "it", format), format)
    pixels = np.random.default_rng(1).random((2, 32, 32, 3), np.float32)
    expected = full.network.predict_on_batch(pixels)
    assert np.abs(half.network.predict_on_batch(pixels) - expected).max() > 1e-4
    np.testing.assert_allclose(run(pixels), expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_printed_by_other_libraries(monkeypatch, tmp_path, capfd, format):
    monkeypatch.setitem(NETWORKS, "micro", MICRO)
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest's
    yolov1_fo.export(untrained(CASES["plain"][1]), tmp_path / "it", format)
    assert capfd.readouterr() == ("", "")
    assert logging.root.handlers == []


@pytest.mark.slow
def test_the_metadata_are_complete(checkpoint_dir, tmp_path):
    path = yolov1_fo.export(checkpoint_dir, tmp_path / "yolov1.onnx", "onnx")
    metadata = json.loads((tmp_path / "yolov1.onnx.json").read_text())
    assert metadata == {
        "format": 2,
        "exported": "onnx",
        "network": "yolov1",
        "input": "image: (N, 32, 32, 3) float32 RGB in [0, 1]",
        "output": "(N, 108) float32, for decode.decode",  # 9 (2 + 5 2)
        "image_size": 32,
        "letterbox": False,
        "tiles": 0,
        "grid": {"S": 3, "B": 2, "C": 2, "sqrt": True, "softmax": False},
        "classes": ["blue", "red"],
    }
    assert path == tmp_path / "yolov1.onnx"


def with_letterbox(checkpoint_dir, folder):
    """Copies a checkpoint, as of a training with letterboxed images."""
    shutil.copytree(checkpoint_dir, folder)
    metadata = json.loads((folder / "run.json").read_text())
    metadata["settings"]["letterbox"] = True
    (folder / "run.json").write_text(json.dumps(metadata))
    return folder


def printed(code, folder):
    """Runs an example of the docs; returns its lines: class, score and box."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT + code],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return [line.split(" ", 2) for line in result.stdout.splitlines()]


@pytest.mark.slow
def test_the_example_with_nms_runs(checkpoint_dir, painted_files, tmp_path):
    part = (ROOT / "docs" / "export.md").read_text().split("\n## With NMS\n")[1]
    _, code, *_ = re.findall(r"```python\n(.*?)```", part, re.DOTALL)
    model = yolov1_fo.load_model(checkpoint_dir, confidence_thresh=0.2)
    yolov1_fo.export(model, tmp_path / "yolov1.onnx", "onnx", nms=True)
    side = model.image_size  # so that nothing has to be resized
    with PIL.Image.open(painted_files[0]["path"]) as image:
        image.convert("RGB").resize((side, side)).save(tmp_path / "photograph.png")
    (tmp_path / "photograph.png").rename(tmp_path / "photograph.jpg")
    found = model.predict(images.read(tmp_path / "photograph.jpg")).detections
    lines = printed(code, tmp_path)
    assert lines
    assert [name for name, *_ in lines] == [one.label for one in found]
    scores = [float(score) for _, score, _ in lines]
    assert scores == pytest.approx([one.confidence for one in found], abs=1.1e-3)


@pytest.mark.slow
def test_the_examples_of_the_docs_run(checkpoint_dir, painted_files, tmp_path):
    text = (ROOT / "docs" / "export.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    examples = [block for block in blocks if "decode.decode(" in block]
    assert ["onnxruntime" in code for code in examples] == [True, False, True]
    letterboxed_dir = with_letterbox(checkpoint_dir, tmp_path / "letterboxed")
    yolov1_fo.export(checkpoint_dir, tmp_path / "yolov1.onnx", "onnx")
    yolov1_fo.export(checkpoint_dir, tmp_path / "yolov1.tflite", "litert")
    yolov1_fo.export(letterboxed_dir, tmp_path / "letterboxed.onnx", "onnx")
    metadata = json.loads((tmp_path / "letterboxed.onnx.json").read_text())
    assert metadata["letterbox"] is True
    picture = tmp_path / "photograph.jpg"
    picture.write_bytes(painted_files[0]["path"].read_bytes())
    pixels = images.read(picture)
    assert pixels.shape[0] != pixels.shape[1]
    for code in examples:
        folder = letterboxed_dir if "letterbox" in code else checkpoint_dir
        model = yolov1_fo.load_model(folder, confidence_thresh=0.2)
        y_pred = model.forward(model.prepared([pixels]))
        (found,) = model.detected(y_pred, model.windows([pixels.shape[:2]]))
        assert len(ast.parse(code).body) <= 13
        lines = printed(code, tmp_path)
        assert len(lines) == len(found.scores) > 1
        assert [name for name, *_ in lines] == [
            model.classes[class_id] for class_id in found.class_ids
        ]
        scores = [float(score) for _, score, _ in lines]
        np.testing.assert_allclose(scores, found.scores, atol=1.1e-3)
        boxes = [[float(x) for x in box.strip("[]").split()] for *_, box in lines]
        np.testing.assert_allclose(boxes, found.boxes, atol=1e-4)


@pytest.mark.slow
def test_every_runtime_finds_the_same_in_photographs(photographs, tmp_path):
    files = sorted((photographs / "fruit" / "images" / "test").glob("*.jpg"))[:50]
    assert len(files) == 50
    settings = {"network": "yolov1-efficientnet-lite0", "image_size": 224, "S": 7}
    config = {"settings": settings, "classes": ["apple", "banana", "orange"]}
    model = YOLOv1Model(YOLOv1ModelConfig(config))
    for name in ("class_probs", "confidence", "boxes"):  # else scores are low
        layer = model.network.get_layer(name)
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * 5, bias])
    thresh = model.config.confidence_thresh = 0.1
    pixels = np.stack([images.read(file, model.image_size) for file in files])
    expected = model.predict_pixels(pixels)
    assert sum(len(one.detections) for one in expected) > 500
    pixels = pixels / np.float32(255)
    for format in FORMATS:
        path = yolov1_fo.export(model, tmp_path / format, format)
        metadata = json.loads(exporting.metadata_path(path).read_text())
        run = served(path, format)
        y_pred = np.concatenate([run(pixels[i : i + 10]) for i in range(0, 50, 10)])
        found = decode.decode(
            y_pred,
            GridConfig(**metadata["grid"]),
            confidence_thresh=thresh,
            iou_thresh=model.config.iou_thresh,
            max_detections=model.config.max_detections,
        )
        for one, other in zip(found, expected, strict=True):
            assert_same(
                fiftyone_boxes.to_detections(*one, metadata["classes"]), other, thresh
            )


def noisy(settings):
    """Returns an untrained model with many detections in any image."""
    model = untrained(settings)
    for layer in model.network.layers:
        if layer.name in ("class_probs", "confidence", "boxes"):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * 5, bias])
    model.config.confidence_thresh, model.config.max_detections = 0.1, 6
    return model


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_an_export_with_nms_finds_what_decode_finds(tmp_path, format, rng):
    model = noisy(CASES["weights"][1])
    path = yolov1_fo.export(model, tmp_path / "it", format, nms=True)
    metadata = json.loads(exporting.metadata_path(path).read_text())
    assert metadata["nms"]["max_detections"] == 6
    with formats.hidden_output():
        run = formats.FORMATS[format].load(path)
    pixels = rng.random((3, 64, 64, 3), np.float32)
    pixels[2] = 0.5
    expected = decode.decode(
        model.network.predict_on_batch(pixels), model.grid, **metadata["nms"]
    )
    assert max(len(one.scores) for one in expected) == 6
    for n in (3, 1):
        found = run(pixels[:n])
        for boxes, scores, class_ids, one in zip(*found, expected[:n], strict=True):
            count = len(one.scores)
            assert (scores > 0).sum() == count
            np.testing.assert_allclose(scores[:count], one.scores, atol=1e-5)
            np.testing.assert_allclose(boxes[:count], one.boxes, atol=1e-5)
            np.testing.assert_array_equal(class_ids[:count], one.class_ids)
            assert (class_ids[count:] == -1).all()
            assert not boxes[count:].any()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["it", "it.json"]


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_an_export_in_8_bits_finds_almost_the_same(tmp_path, format):
    model = yolov1_fo.load_model("yolov1-quickstart", confidence_thresh=0.2)
    dataset = yolov1_fo.load_quickstart("for-int8", persistent=False)
    samples = dataset.match_tags("val").limit(8)
    whole = yolov1_fo.export(model, tmp_path / "float", format, nms=True)
    small = yolov1_fo.export(
        model, tmp_path / "int8", format, nms=True, calibration=samples
    )
    metadata = json.loads(exporting.metadata_path(small).read_text())
    assert metadata["precision"] == "int8"
    assert metadata["calibration_images"] == len(samples)
    sizes = [
        sum(file.stat().st_size for file in [path, *path.rglob("*")])
        for path in (whole, small)
    ]
    assert sizes[1] < 0.6 * sizes[0]
    with formats.hidden_output():
        runs = [formats.FORMATS[format].load(path) for path in (whole, small)]
    paths = samples.values("filepath")[:4]
    pixels = np.stack([images.read(path, model.image_size) for path in paths])
    found = [run(pixels / np.float32(255)) for run in runs]
    scores = [outputs[1].max(axis=1) for outputs in found]
    assert scores[0].min() > 0.2
    np.testing.assert_allclose(*scores, atol=0.1)
    assert not np.array_equal(*scores)
    names = ["float", "float.json", "int8", "int8.json"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names


def test_calibration_needs_images(tmp_path, painted):
    model = untrained(CASES["weights"][1])
    for samples, error, line in (
        ("train", TypeError, "calibration must be a FiftyOne dataset or view"),
        (painted.limit(0), ValueError, "has no samples"),
    ):
        with pytest.raises(error, match=line):
            yolov1_fo.export(model, tmp_path / "it", "onnx", calibration=samples)
    with pytest.raises(ValueError, match="calibration is for onnx and openvino, got"):
        yolov1_fo.export(model, tmp_path / "it", "litert", calibration=painted)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("class_agnostic", True), ("filter_classes", ["blue"]), ("tiles", 2)],
)
def test_nms_is_the_plain_one(tmp_path, setting, value):
    model = untrained(CASES["weights"][1])
    setattr(model.config, setting, value)
    with pytest.raises(ValueError, match=f"nms=True does not support {setting}"):
        yolov1_fo.export(model, tmp_path / "it", "onnx", nms=True)
    with pytest.raises(ValueError, match="nms=True is for onnx and openvino, got lit"):
        yolov1_fo.export(model, tmp_path / "it", "litert", nms=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("format", "path", "line"),
    [
        (
            "torch",
            "new",
            "format must be one of saved_model, onnx, openvino, litert, got 'torch'",
        ),
        ("onnx", "there", "there' exists; choose another path, or delete it"),
        ("onnx", "other", "other.json' exists; choose another path, or delete it"),
    ],
)
def test_errors_come_before_loading(tmp_path, format, path, line):
    (tmp_path / "there").mkdir()
    (tmp_path / "other.json").touch()
    with pytest.raises(ValueError, match=line):
        yolov1_fo.export("nowhere", tmp_path / path, format)
    with pytest.raises(
        FileNotFoundError, match="'nowhere' is neither a checkpoint folder"
    ):
        yolov1_fo.export("nowhere", tmp_path / "new", "onnx")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["other.json", "there"]


@pytest.mark.parametrize("missing", [["tf2onnx"], ["tf2onnx", "onnx"]])
def test_missing_writers_are_one_line(monkeypatch, tmp_path, missing):
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    line = f"onnx needs {' and '.join(missing)}: pip install {' '.join(missing)}"
    with pytest.raises(ImportError, match=re.escape(line)):
        yolov1_fo.export("nowhere", tmp_path / "new", "onnx")


@pytest.mark.slow
def test_a_missing_runtime_is_reported(monkeypatch, caplog, checkpoint_dir, tmp_path):
    caplog.set_level(logging.INFO, "yolov1_fo")
    yolov1_fo.export(checkpoint_dir, tmp_path / "one", "litert")
    assert re.search(r"one' is within \d\.\de-\d\d of Keras", caplog.text)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    yolov1_fo.export(checkpoint_dir, tmp_path / "two", "litert")
    assert (
        "two' was not compared with Keras, which needs ai_edge_litert: "
        "pip install ai-edge-litert"
    ) in caplog.text


def test_another_backend_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="got jax; set KERAS_BACKEND=tensorflow"):
        yolov1_fo.export("nowhere", tmp_path / "new", "onnx")


def test_a_network_that_is_too_large_is_refused(monkeypatch, checkpoint_dir, tmp_path):
    small = formats.FORMATS["litert"]._replace(max_bytes=1000)
    monkeypatch.setitem(formats.FORMATS, "litert", small)
    with pytest.raises(ValueError, match="export it as saved_model"):
        yolov1_fo.export(checkpoint_dir, tmp_path / "new", "litert")


def _differ(path):
    return lambda pixels: [np.zeros((len(pixels), 108), np.float32)]


def _nan(path):
    return lambda pixels: [np.full((len(pixels), 108), np.nan, np.float32)]


def _stop(path):
    raise KeyboardInterrupt


def _full(path):
    raise OSError("No space left on device")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("load", "error", "line"),
    [
        (_differ, ValueError, r"as onnx must be within \S+ of Keras, got \d"),
        (_nan, ValueError, r"of Keras, got nan; nothing is written"),
        (_full, OSError, r"new' can't be written: No space left on device"),
        (_stop, KeyboardInterrupt, None),
    ],
)
def test_nothing_is_left_after_an_error(
    monkeypatch, checkpoint_dir, tmp_path, load, error, line
):
    changed = formats.FORMATS["onnx"]._replace(load=load)
    monkeypatch.setitem(formats.FORMATS, "onnx", changed)
    with pytest.raises(error, match=line):
        yolov1_fo.export(checkpoint_dir, tmp_path / "new", "onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_a_converter_is_one_line(monkeypatch, checkpoint_dir, tmp_path):
    def fail(*_, **__):
        raise RuntimeError("no such operation\nand a page of graph")

    changed = formats.FORMATS["onnx"]._replace(write=fail)
    monkeypatch.setitem(formats.FORMATS, "onnx", changed)
    with pytest.raises(ValueError, match=r"exported as onnx: no such operation$"):
        yolov1_fo.export(checkpoint_dir, tmp_path / "new", "onnx")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_refused(checkpoint_dir, tmp_path):
    model = yolov1_fo.load_model(checkpoint_dir)
    model.network.layers[-1].bias.assign(np.full(108, np.nan))
    with pytest.raises(ValueError, match="is not finite; nothing is saved"):
        yolov1_fo.export(model, tmp_path / "new", "onnx")


@pytest.mark.slow
def test_the_command_exports(capsys, checkpoint_dir, tmp_path):
    words = ["export", str(checkpoint_dir), "--format", "onnx", "--to"]
    path = str(tmp_path / "yolov1.onnx")
    assert main.main([*words, path]) == 0
    out = capsys.readouterr().out
    assert re.search(r"yolov1\.onnx' is within \d\.\de-\d\d of Keras\n", out)
    assert out.endswith(f"wrote '{path}' and '{path}.json'\n")
    assert main.main([*words, path]) == 2
    assert "exists; choose another path" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_exports_with_nms(checkpoint_dir, tmp_path):
    words = ["export", str(checkpoint_dir), "--format", "onnx", "--nms"]
    path = tmp_path / "yolov1.onnx"
    assert main.main([*words, "--confidence-thresh", "0.3", "--to", str(path)]) == 0
    metadata = json.loads(exporting.metadata_path(path).read_text())
    assert metadata["nms"]["confidence_thresh"] == 0.3


@pytest.mark.slow
def test_the_command_exports_a_run_by_its_key(painted, micro, tmp_path):
    yolov1_fo.train(painted, run_key="mine", epochs=1, **micro)
    path = tmp_path / "yolov1.tflite"
    words = ["export", "mine", "--dataset", painted.name, "--format", "litert"]
    assert main.main([*words, "--to", str(path)]) == 0
    metadata = json.loads(exporting.metadata_path(path).read_text())
    assert metadata["classes"] == ["blue", "red"]
