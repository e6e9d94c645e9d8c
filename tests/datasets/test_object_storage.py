"""Photographs in an S3 bucket are trained on and predicted like files."""

import json
import os
import urllib.parse
from pathlib import Path

import fiftyone as fo
import pytest

import yolov1_fo
from tests.same import assert_same
from yolov1_fo import images
from yolov1_fo.config import packages
from yolov1_fo.datasets import media_files
from yolov1_fo.image_files import remote

BUCKET = "photographs"


@pytest.fixture(scope="module")
def bucket():
    """An S3 bucket of a server on this machine."""
    moto = pytest.importorskip("moto.server", reason="needs moto")
    s3fs = pytest.importorskip("s3fs", reason="needs the extra s3")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    names = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir(BUCKET)
        yield s3fs.S3FileSystem()
    server.stop()


@pytest.fixture
def stored(painted, bucket):
    """The painted images as objects of the bucket; their files are placeholders."""
    urls = []
    for sample in painted:
        urls.append(f"s3://{BUCKET}/{Path(sample.filepath).name}")
        bucket.put_file(sample.filepath, urls[-1])
    painted.set_values("url", urls)
    painted.clone_sample_field("filepath", "local")
    painted.set_values("filepath", [f"/nowhere/{number}.png" for number in range(8)])
    return painted


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


@pytest.mark.slow
def test_predictions_are_those_of_the_files(stored, model):
    faults = yolov1_fo.apply(stored, model, "local_too", media_field="local")
    assert faults == {}
    assert yolov1_fo.apply(stored, model, "remote", media_field="url") == {}
    hidden = stored.exclude_fields("url").limit(2)
    assert yolov1_fo.apply(hidden, model, "hidden", media_field="url") == {}
    for sample in stored:
        assert_same(sample.remote, sample.local_too)
        if sample.hidden:
            assert_same(sample.hidden, sample.remote)
    assert len(yolov1_fo.apply(stored, model, "placeholders")) == 8


@pytest.mark.slow
@pytest.mark.parametrize("data", ["host", "stream"])
def test_a_training_reads_the_bucket(stored, micro, data):
    train, val = stored.match_tags("train"), stored.match_tags("val")
    settings = {**micro, "data": data, "epochs": 1, "progress": False}
    local = yolov1_fo.train(train, val_samples=val, media_field="local", **settings)
    run = yolov1_fo.train(train, val_samples=val, media_field="url", **settings)
    assert run.history["loss"] == pytest.approx(local.history["loss"], rel=1e-5)
    assert run.history["val_loss"] == pytest.approx(local.history["val_loss"], rel=1e-5)
    model = yolov1_fo.load_model(run)
    assert yolov1_fo.apply(val, model, "own") == {}  # with the field of the training
    settings = {"engine": "process", "num_workers": 1}
    if data == "host":
        assert yolov1_fo.apply(val, model, "other", **settings) == {}
        for sample in val:
            assert_same(sample.own, sample.other)


@pytest.fixture
def downloads(bucket, tmp_path, monkeypatch):
    """Returns a function that returns the objects read since its last call, sorted."""
    from moto.moto_api import recorder

    monkeypatch.setattr(recorder, "_location", str(tmp_path / "requests"))
    recorder.start_recording()

    def since():
        requests = map(json.loads, recorder.download_recording().splitlines())
        recorder.reset_recording()
        urls = [one["url"] for one in requests if one["method"] == "GET"]
        return sorted(Path(urllib.parse.urlsplit(url).path).name for url in urls)

    yield since
    recorder.stop_recording()


@pytest.mark.slow
def test_a_second_training_downloads_only_what_its_report_shows(
    stored, micro, downloads
):
    """These are the validation images here."""
    train, val = stored.match_tags("train"), stored.match_tags("val")
    settings = {**micro, "data": "host", "epochs": 1, "media_field": "url"}
    names, shown = (
        [Path(url).name for url in samples.values("url")] for samples in (stored, val)
    )
    yolov1_fo.train(train, val_samples=val, **settings)
    assert downloads() == sorted([*names, *shown])
    yolov1_fo.train(train, val_samples=val, **settings)
    assert downloads() == sorted(shown)


@pytest.mark.slow
def test_replaced_objects_are_decoded_again(stored, bucket, micro):
    first, second = stored.limit(2).values("url")
    before = remote.version(first)
    assert remote.version(first) == before != remote.version(second)
    bucket.ls(BUCKET)  # a listing in memory
    bucket.copy(second, first)
    assert remote.version(first) != before
    assert (images.read(first) == images.read(second)).all()


@pytest.mark.slow
def test_inspect_reads_the_bucket(stored, bucket, tmp_path):
    first, second = stored.limit(2).values("url")
    content = tmp_path / "cut.png"
    content.write_bytes(bucket.cat_file(second)[:-40])
    bucket.put_file(str(content), f"s3://{BUCKET}/cut.png")
    bucket.pipe_file(f"s3://{BUCKET}/empty.png", b"")
    names = ("cut.png", "empty.png", "missing.png")
    for name in names:
        sample = fo.Sample(f"/nowhere/{name}", url=f"s3://{BUCKET}/{name}")
        stored.add_sample(sample)
    report = yolov1_fo.inspect(stored, media_field="url")
    found = {
        urllib.parse.urlsplit(one.filepath).path[1:]: one.detail
        for one in report.findings["unreadable"]
    }
    assert found == {
        "cut.png": "is truncated or damaged",
        "empty.png": "is empty",
        "missing.png": "does not exist",
    }
    shared = yolov1_fo.inspect(
        stored.limit(1), val_samples=stored.limit(2), media_field="url"
    )
    assert {one.filepath for one in shared.findings["shared"]} == {first}


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_no_fault_of_the_images(
    stored, bucket, model, micro, monkeypatch
):
    monkeypatch.setattr(remote, "PAUSES", ())
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:1")  # without http://
    monkeypatch.setattr(type(bucket), "cachable", False)
    line = "'s3://photographs/.*' can't be read: .*localhost:1"
    for call in (
        lambda: yolov1_fo.apply(stored, model, "remote", media_field="url"),
        lambda: yolov1_fo.train(stored, media_field="url", data="host", **micro),
        lambda: yolov1_fo.inspect(stored, media_field="url"),
    ):
        with pytest.raises(OSError, match=line):
            call()
    assert not stored.has_field("remote")


def test_reads_are_repeated(monkeypatch):
    fsspec = pytest.importorskip("fsspec", reason="needs the extra s3")
    calls = []

    def fail_twice(*_, **__):
        calls.append(0)
        if len(calls) < 3:
            raise RuntimeError("slow\ndown")
        raise FileNotFoundError

    monkeypatch.setattr(remote, "PAUSES", (0, 0))
    monkeypatch.setattr(fsspec, "url_to_fs", fail_twice)
    assert images.find_fault("s3://bucket/image.png") == "does not exist"
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("nope", "media_field 'nope' on .* is not there; fields with strings: .*url"),
        ("tags", "media_field 'tags' on .* must hold strings"),
        ("url", "media_field 'url' on .* must be set on all samples; .* on 7 of 8"),
    ],
)
def test_bad_fields_are_one_line(painted, model, micro, field, line):
    painted.add_sample_field("url", fo.StringField)
    sample = painted.first()
    sample["url"] = sample.filepath
    sample.save()
    for call in (
        lambda: yolov1_fo.apply(painted, model, media_field=field),
        lambda: yolov1_fo.train(painted, media_field=field, **micro),
        lambda: yolov1_fo.inspect(painted, media_field=field),
    ):
        with pytest.raises(ValueError, match=line):
            call()
    assert not painted.has_field("predictions")
    assert not painted.list_runs()


def test_urls_hold_no_secrets(painted, model, monkeypatch):
    monkeypatch.setattr(packages, "require", lambda *_: None)
    for secret in ("https://me:s3cret@host/a.png", "http://host/a.png?key=s3cret"):
        painted.set_values("url", [secret] * len(painted))
        with pytest.raises(ValueError, match=r"^URLs must have no user,") as one:
            yolov1_fo.apply(painted, model, media_field="url")
        assert "s3cret" not in str(one.value)


def test_missing_packages_are_named(painted, model, monkeypatch):
    monkeypatch.setattr(packages, "is_installed", lambda name: name == "fsspec")
    painted.set_values("url", ["gs://bucket/image.png"] * len(painted))
    with pytest.raises(ImportError, match=r"^gs:// needs gcsfs: pip install gcsfs$"):
        yolov1_fo.apply(painted, model, media_field="url")


def test_relative_and_local_files_are_no_urls(painted):
    ids = painted.values("id")
    assert media_files.read(painted, "filepath", ids) == painted.values("filepath")
    assert not remote.is_remote("ftp://host/image.png")
    assert not remote.is_remote(os.curdir)
