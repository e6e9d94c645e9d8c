"""A calibrated export, and `load_model(precision="int8")`, which uses it."""

import logging

import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from tests.networks import test_runtimes
from yolov1_fo import images
from yolov1_fo.boxes import iou
from yolov1_fo.cli import leftovers, main
from yolov1_fo.inference import quantizing
from yolov1_fo.networks import formats

pytestmark = [*test_runtimes.pytestmark, pytest.mark.slow]
MISSING = r"^precision='int8' needs a calibrated export of this network; call yolov1_fo"


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(tmp_path / "datasets"))


@pytest.fixture
def scenes():
    dataset = yolov1_fo.load_quickstart("for-int8", persistent=False)
    yield dataset.match_tags("val").limit(8)
    dataset.delete()


def share_found(expected, found, thresh=0.3):
    """Returns the share of detections that are also among those of another model."""
    good = [one for one in expected if one.confidence >= thresh]
    return [
        any(
            one.label == other.label
            and _overlap(one.bounding_box, other.bounding_box) > 0.7
            and abs(one.confidence - other.confidence) < 0.25
            for other in found
        )
        for one in good
    ]


def _overlap(*boxes):
    corners = [[[x, y, x + w, y + h]] for x, y, w, h in boxes]
    return float(iou(*(np.asarray(one, np.float32) for one in corners))[0, 0])


def test_an_export_with_nms_is_used_by_every_runtime(scenes, tmp_path, monkeypatch):
    name = "yolov1-quickstart"
    for settings in ({}, {"runtime": "openvino"}):
        with pytest.raises(ValueError, match=MISSING):
            yolov1_fo.load_model(name, precision="int8", **settings)
    path = tmp_path / "it.onnx"
    yolov1_fo.export(name, path, "onnx", nms=True, calibration=scenes)
    for module, function in ((formats, "write_onnx"), (quantizing, "quantize")):
        monkeypatch.setattr(module, function, None)
    assert "INT8" not in " ".join(leftovers.clean())  # it can't be made again
    pixels = [images.read(path) for path in scenes.values("filepath")]
    expected = yolov1_fo.load_model(name, runtime="keras").predict_all(pixels)
    for runtime in ("openvino", "onnxruntime", "auto"):
        model = yolov1_fo.load_model(name, precision="int8", runtime=runtime)
        found = model.predict_all(pixels)
        pairs = zip(expected, found, strict=True)
        same = [x for a, b in pairs for x in share_found(a.detections, b.detections)]
        assert len(same) > 15
        assert np.mean(same) > 0.9
        assert expected[0].detections[0].confidence != found[0].detections[0].confidence
    embeddings = model.embed_all(pixels)  # in float32
    np.testing.assert_allclose(
        *(embeddings, yolov1_fo.load_model(name).embed_all(pixels)), atol=1e-3
    )
    model.config.runtime = "keras"
    with pytest.raises(ValueError, match=r"needs runtime='openvino' or 'onnxruntime'"):
        model.predict_all(pixels)
    line = "apply for-int8 yolov1-quickstart --precision int8 --tag val"
    assert main.main(line.split()) == 0
    model = yolov1_fo.load_model(name, precision="int8")
    kernel = model.network.get_layer("boxes").kernel
    kernel.assign(kernel * 2)
    with pytest.raises(ValueError, match=MISSING):  # of other weights
        yolov1_fo.load_model(model.save(tmp_path / "changed"), precision="int8")


def test_a_wrong_quantization_is_no_export(scenes, tmp_path, monkeypatch):
    def quantize(path, batches):
        import onnx

        model = onnx.load(path)
        for one in model.graph.initializer:
            array = onnx.numpy_helper.to_array(one)
            if array.dtype == np.float32 and array.ndim == 4:
                changed = onnx.numpy_helper.from_array(array * 1.5, one.name)
                one.CopyFrom(changed)
        onnx.save(model, path)

    monkeypatch.setattr(quantizing, "quantize", quantize)
    line = r"the network as onnx must be within .* of Keras, .*; nothing is written"
    for nms in (False, True):
        with pytest.raises(ValueError, match=line):
            yolov1_fo.export(
                *("yolov1-quickstart", tmp_path / "it.onnx", "onnx"),
                nms=nms,
                calibration=scenes,
            )
    assert not [*tmp_path.glob("it*")]
    with pytest.raises(ValueError, match=MISSING):
        yolov1_fo.load_model("yolov1-quickstart", precision="int8")


def test_an_export_that_can_not_be_kept_is_an_export(
    scenes, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(quantizing, "quantize", lambda path, batches: None)
    (tmp_path / "file").touch()
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(tmp_path / "file"))
    caplog.set_level(logging.WARNING, "yolov1_fo")
    path = tmp_path / "it.onnx"
    yolov1_fo.export("yolov1-quickstart", path, "onnx", calibration=scenes)
    assert path.is_file()
    assert "load_model(precision='int8') can't use the export: " in caplog.text


def test_photographs_have_almost_the_same_detections(photographs, tmp_path):
    folder = photographs / "highway"
    files = sorted((folder / "train" / "data").glob("*.jpg"))[:30]
    shown = sorted((folder / "val" / "data").glob("*.jpg"))[:30]
    assert len(files) == len(shown) == 30
    dataset = fo.Dataset()
    dataset.add_samples([fo.Sample(str(path)) for path in files])
    path = tmp_path / "it"
    yolov1_fo.export("yolov1-highway", path, "openvino", calibration=dataset)
    dataset.delete()
    pixels = [images.read(path) for path in shown]
    models = [
        yolov1_fo.load_model("yolov1-highway", runtime="openvino", precision=precision)
        for precision in ("float32", "int8")
    ]
    one, other = ([*map(model.predict, pixels)] for model in models)
    for expected, found in ((one, other), (other, one)):
        pairs = zip(expected, found, strict=True)
        same = [x for a, b in pairs for x in share_found(a.detections, b.detections)]
        assert len(same) > 40
        assert np.mean(same) > 0.85
