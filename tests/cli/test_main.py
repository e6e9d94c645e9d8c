"""The command line as a new user sees it."""

import logging
import re
import signal
import subprocess
import sys
import tempfile

import fiftyone as fo
import pymongo.errors
import pytest
from fiftyone.core.stages import ViewStageError

import yolov1_fo
from yolov1_fo.cli import fiftyone_checks, machine_checks, main
from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import error_lines
from yolov1_fo.runs import folders

COMMANDS = (
    *("demo", "train", "apply", "evaluate", "inspect", "labels"),
    *("pretrain", "import-darknet", "export", "publish", "unpublish", "doctor"),
    "report",
)


@pytest.fixture
def named(painted, monkeypatch, tmp_path):
    monkeypatch.setattr(fo.config, "model_zoo_dir", str(tmp_path / "models"))
    painted.name = "painted-for-cli"
    return painted.name


def called(capsys, *words):
    """Returns the exit code, the output, and the lines of errors."""
    try:
        code = main.main([str(word) for word in words])
    except SystemExit as stopped:
        code = stopped.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err.splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(capsys, command):
    code, text, _ = called(capsys, command, "--help")
    assert code == 0
    assert text.startswith(f"usage: yolov1-fo {command}")
    _, overview, _ = called(capsys, "--help")
    assert re.search(rf"^    {command}\b", overview, re.M)


def test_help_does_not_need_docstrings():
    words = ["-OO", "-m", "yolov1_fo", "train", "--help"]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--learning-rate FLOAT" in done.stdout


def test_help_lists_every_setting_with_its_default(capsys):
    _, text, _ = called(capsys, "train", "--help")
    words = " ".join(text.split())
    for name in TrainConfig.names():
        if name != "C":
            assert f"--{name.replace('_', '-')}" in words
    assert "--learning-rate FLOAT highest learning rate of the schedule --" in words
    assert "--iou-thresh FLOAT NMS IoU threshold (0.5)" in words
    assert "those without a default come from the network's recipe" in words
    assert "one of yolov1, fast-yolov1" in words


def test_settings_are_described():
    descriptions = TrainConfig.describe()
    assert list(descriptions) == TrainConfig.names()
    assert descriptions["learning_rate"] == "highest learning rate of the schedule"
    assert descriptions["lambda_coord"] == "weight of the errors in position and size"


MISTAKES = [
    ([], "the following arguments are required: COMMAND"),
    (["trian"], "argument COMMAND: invalid choice: 'trian'"),
    (["train"], "the following arguments are required: DATASET"),
    (
        ["train", "nowhere"],
        "dataset 'nowhere' does not exist; existing datasets: .*painted",
    ),
    (
        ["train", "paintd-for-cli"],
        "not exist .did you mean painted-for-cli..; existing",
    ),
    (
        ["train", "DATA", "--lerning-rate", "1"],
        "train: unrecognized arguments: --lerning-rate 1 .did you mean --learning-rate",
    ),
    (["train", "DATA", "--epochs", "many"], "--epochs: invalid int value: 'many'"),
    (["train", "DATA", "--epochs", "0"], "epochs must be at least 1, got 0"),
    (
        ["train", "DATA", "--train-tag", "tain"],
        "has tag 'tain' .did you mean train..; tags: train, val",
    ),
    (
        ["train", "DATA", "--gt-field", "truth"],
        "gt_field 'truth' is not on",
    ),
    (
        ["train", "DATA", "--network", "yolov8"],
        "network must be one of yolov1",
    ),
    (
        ["train", "DATA", "--rate-steps", "0=1"],
        "must be EPOCH:RATE, got '0=1'",
    ),
    (["train", "DATA", "--resume", "mine"], "run 'mine' is not on dataset .*: none"),
    (
        ["train", "DATA", "--weights", "mine"],
        "weights 'mine' is not a file, a folder or a run",
    ),
    (["pretrain", "DATA"], "label_field 'ground_truth' on .* must hold Classificati"),
    (["apply", "DATA"], "the following arguments are required: MODEL"),
    (["apply", "DATA", "mine"], "run 'mine' is not on dataset .* training runs: none"),
    (
        ["apply", "DATA", "CHECKPOINT", "--iou-thresh", "2"],
        "iou_thresh must be in",
    ),
    (
        ["apply", "DATA", "CHECKPOINT", "--classes", "green"],
        "there are: blue, red",
    ),
    (
        ["apply", "DATA", "CHECKPOINT", "--batch-size", "0"],
        "batch_size must be",
    ),
    (
        ["apply", "DATA", "CHECKPOINT", "--view", "none"],
        "view 'none' is not on",
    ),
    (["evaluate", "DATA", "predictions"], "pred_field 'predictions' is"),
    (["evaluate", "DATA", "ground_truth"], "has objects without confidence; AP needs"),
    (["inspect", "DATA", "--S", "0"], "S must be at least 1, got 0"),
    (["import-darknet", "none.weights"], "arguments are required: --network, --out"),
    (
        ["import-darknet", "none.weights", "--network", "yolov1", "--out", "x"],
        "weights file 'none.weights' does not exist",
    ),
    (["export", "CHECKPOINT", "--to", "x"], "arguments are required: --format"),
    (
        ["export", "CHECKPOINT", "--format", "torch", "--to", "x"],
        "format must be one of saved_model, onnx, openvino, litert, got 'torch'",
    ),
    (
        ["export", "mine", "--dataset", "DATA", "--format", "onnx", "--to", "x"],
        "run 'mine' is not on dataset",
    ),
    (["publish", "nowhere", "name"], "checkpoint folder 'nowhere' does not exist"),
    (["publish", "CHECKPOINT", "yolov1"], "'yolov1' is the name of another model"),
    (["publish", "mine", "name", "--dataset", "DATA"], "run 'mine' is not on dataset"),
    (["unpublish", "mine"], "'mine' is not published; there are: none"),
]


@pytest.mark.parametrize(("words", "line"), MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(
    capsys, named, checkpoint_dir, words, line
):
    names = {"DATA": named, "CHECKPOINT": checkpoint_dir}
    code, _, errors = called(capsys, *(names.get(word, word) for word in words))
    assert code == 2
    assert len(errors) == 1
    assert re.match(r"yolov1-fo( [\w-]+)?: ", errors[0])
    assert re.search(line, errors[0])


@pytest.mark.slow
def test_apply_evaluate_inspect_publish(capsys, named, checkpoint_dir):
    code, text, _ = called(
        capsys, "apply", named, checkpoint_dir, "--label-field", "found", "--tag", "val"
    )
    assert code == 0
    assert "wrote field 'found' on 2 samples; no files are unreadable" in text
    code, text, _ = called(
        capsys, "evaluate", named, "found", "--tag", "val", "--eval-key", "first"
    )
    assert code == 0
    assert re.search(r"^mean +0\.\d{3}", text, re.M)
    assert re.search(
        r"^best F1 0\.?\d*( at a confidence of at least 0\.|:)", text, re.M
    )
    assert fo.load_dataset(named).list_evaluations() == ["first"]
    code, text, _ = called(capsys, "inspect", named, "--S", 14)
    assert code == 0
    assert "recall ceiling 1.000 with 14 x 14 cells" in text
    code, text, _ = called(capsys, "publish", checkpoint_dir, "by-cli")
    assert code == 0
    assert "published 'by-cli'" in text
    assert yolov1_fo.load_model("by-cli").classes == ["blue", "red"]
    assert called(capsys, "unpublish", "by-cli")[0] == 0


def test_a_saved_view_is_found(capsys, named):
    dataset = fo.load_dataset(named)
    dataset.save_view("few", dataset.limit(3))
    code, text, _ = called(capsys, "inspect", named, "--view", "few")
    assert code == 0
    assert text.startswith("3 images")


@pytest.mark.slow
def test_train_stores_the_run_on_the_dataset(capsys, named, micro, monkeypatch):
    words = ["train", named, "--network", "micro", "--image-size", 32, "--S", 2]
    words += ["--epochs", 2, "--batch-size", 2, "--run-key", "mine", "--no-flip"]
    assert called(capsys, *words)[0] == 2  # flip is a number
    words[-1:] = ["--flip", 0, "--batch-norm", "--rate-steps", "0:1e-3", "1:1e-4"]
    words += ["--all", "--no-val"]
    code, text, _ = called(capsys, *words, "--schedule", "steps")
    assert code == 0
    assert re.search(r"^best epoch +\d of 2, with loss \d", text, re.M)
    assert text.endswith(f"next         yolov1-fo apply {named} mine\n")
    run = fo.load_dataset(named).get_run_info("mine").config
    assert run.settings["rate_steps"] == [[0.0, 0.001], [1.0, 0.0001]]
    assert run.settings["batch_norm"] is True
    assert run.images == 8
    code, _, errors = called(capsys, "train", named, "--resume", "mine")
    assert (code, errors) == (
        2,
        ["yolov1-fo: run 'mine' has finished; there is nothing to resume"],
    )


@pytest.mark.slow
def test_a_mistake_is_one_line_in_a_process_of_its_own(named):
    words = ["train", named, "--network", "yolov8"]
    done = subprocess.run(
        [sys.executable, "-m", "yolov1_fo", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("yolov1-fo: network must be one of yolov1, fast-yolov1")


@pytest.mark.parametrize("uri", [None, "mongodb://mine:1"])
def test_an_old_server_is_reported_unless_embedded(monkeypatch, caplog, uri):
    monkeypatch.setattr(fo.config, "database_uri", uri)
    monkeypatch.delenv("FIFTYONE_DATABASE_URI")
    logger = logging.getLogger("fiftyone.core.odm.database")
    with main._quiet():
        logger.warning("You are running the oldest supported major version of MongoDB.")
        logger.warning("Something else.")
    shown = [record.message for record in caplog.records if record.name == logger.name]
    assert len(shown) == (2 if uri else 1)


def test_log_lines_are_printed_once_even_if_the_root_logger_has_handlers(
    capsys, named, monkeypatch
):
    def log(*_, **__):
        logging.getLogger("yolov1_fo.datasets.inspection").info("half done")
        return "done"

    monkeypatch.setattr(yolov1_fo, "inspect", log)
    monkeypatch.setattr(logging.root, "handlers", [logging.StreamHandler(sys.stderr)])
    assert called(capsys, "inspect", named) == (0, "half done\ndone\n", [])


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_stopped_command_is_one_line(capsys, named, monkeypatch, number, code):
    before = signal.getsignal(signal.SIGTERM)

    def stop(*_, **__):
        signal.raise_signal(getattr(signal, number))

    monkeypatch.setattr(yolov1_fo, "inspect", stop)
    stopped = called(capsys, "inspect", named)
    assert stopped == (code, "", ["yolov1-fo: interrupted"])
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_stopped_training_reports_its_last_epoch(capsys, named, monkeypatch):
    def stop(*_, **__):
        error = KeyboardInterrupt()
        error.add_note("run 'one' was stopped after epoch 3 of 9")
        raise error

    monkeypatch.setattr(yolov1_fo, "train", stop)
    code, _, errors = called(capsys, "train", named)
    line = "yolov1-fo: run 'one' was stopped after epoch 3 of 9"
    assert (code, errors) == (130, [line])


def test_a_training_on_ray_gets_its_workers(capsys, named, monkeypatch):
    given = {}

    def train_on_ray(samples, **arguments):
        given.update(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(yolov1_fo, "train_on_ray", train_on_ray, raising=False)
    words = ("train", named, "--ray-workers", "2", "--num-workers", "3")
    assert called(capsys, *words)[0] == 130
    assert (given["ray_workers"], given["num_workers"]) == (2, 3)
    code, _, errors = called(capsys, *words, "--device", "1")
    assert (code, len(errors)) == (2, 1)
    assert "--device can't be combined with --ray-workers" in errors[0]


FAILURES = [
    (OSError("disk is full"), 2, "disk is full"),
    (RuntimeError("two\nlines"), 2, "two lines"),
    (RecursionError("maximum recursion depth exceeded"), 2, "maximum recursion depth"),
    (MemoryError("no 9 GB"), 2, "out of memory, use a smaller .*: no 9 GB"),
    (MemoryError(), 2, "out of memory, .*: MemoryError"),
    (pymongo.errors.AutoReconnect("gone"), 2, ".* does not answer; start it"),
    (ViewStageError("no stage"), 2, "no stage"),
    (KeyError("x"), 70, "a bug: KeyError: 'x'; please report it, the traceback is in"),
    (TypeError("no\nkind"), 70, "a bug: TypeError: no kind; please report it"),
]


@pytest.mark.parametrize(("error", "code", "line"), FAILURES)
def test_whatever_fails_is_one_line(
    capsys, named, monkeypatch, tmp_path, error, code, line
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(yolov1_fo, "inspect", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    got, text, errors = called(capsys, "inspect", named)
    assert (got, text, len(errors)) == (code, "", 1)
    assert re.search(f"^yolov1-fo: {line}", errors[0])
    logs = list(tmp_path.glob("*.log"))
    assert len(logs) == (code == 70)
    assert all("in fail" in log.read_text() for log in logs)


def test_a_bug_is_one_line_where_nothing_can_be_written(capsys, named, monkeypatch):
    def fail(*_, **__):
        raise KeyError("x")

    monkeypatch.setattr(yolov1_fo, "inspect", fail)
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    code, _, errors = called(capsys, "inspect", named)
    assert (code, len(errors)) == (70, 1)
    assert "in fail" in errors[0]


def test_tensorflows_many_lines_are_one(monkeypatch):
    tf = pytest.importorskip("tensorflow")
    text = (
        "Graph execution error:\n\nDetected at node x defined at (most recent call "
        "last):\n<stack traces unavailable>\nOOM when allocating tensor with shape[9]\n"
        "\t [[{{node x}}]]\nHint: see report_tensor_allocations [Op:__inference_step_9]"
    )
    line = error_lines.describe(tf.errors.ResourceExhaustedError(None, None, text))
    assert line == (
        "out of memory, use a smaller batch_size or image_size: "
        "OOM when allocating tensor with shape[9]"
    )
    line = error_lines.describe(
        tf.errors.UnavailableError(None, None, "gone\nfor good")
    )
    assert line == "TensorFlow: gone"


def test_a_closed_pipe_ends_a_command_quietly(capsys, named, monkeypatch):
    def fail(*_, **__):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(yolov1_fo, "inspect", fail)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    code = main.main(["inspect", named])
    assert (code, capsys.readouterr().err) == (0, "")


def test_doctor_finds_no_error_on_this_machine(capsys):
    code, text, _ = called(capsys, "doctor")
    assert code == 0
    for what in ("Python", "fiftyone", "TensorFlow", "database", "datasets", "videos"):
        assert re.search(rf"^(ok|--)  {what} ", text, re.M)


def test_doctor_suggests_remedies(capsys, monkeypatch):
    missing = {"tensorflow", "tensorflow-cpu", "tensorflow-macos"}
    installed = machine_checks.installed_version
    monkeypatch.setattr(
        machine_checks,
        "installed_version",
        lambda name: None if name in missing else installed(name),
    )
    monkeypatch.setattr(machine_checks.shutil, "which", lambda name: None)
    monkeypatch.setattr(fiftyone_checks.os, "access", lambda *_: False)
    code, text, _ = called(capsys, "doctor")
    assert code == 1
    assert re.search(
        r"^!!  TensorFlow +missing\n +-> pip install tensorflow-cpu, or ", text, re.M
    )
    assert re.search(r"^--  videos +ffmpeg and ffprobe missing", text, re.M)
    assert re.search(r"^!!  model zoo +.* is not writable", text, re.M)
    monkeypatch.setattr(machine_checks, "installed_version", lambda name: "1.0")
    code, text, _ = called(capsys, "doctor")
    assert "they overwrite each other" in text


def test_doctor_deletes_converted_networks(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(tmp_path))
    kept = folders.top_folder() / folders.NETWORK_CACHE / "0123"
    kept.mkdir(parents=True)
    (kept / "network.onnx").write_bytes(b"\0" * 3_000_000)
    assert "3.0 MB of converted networks" in called(capsys, "doctor")[1]
    text = called(capsys, "doctor", "--clean")[1]
    assert f"deleted 3.0 MB of converted networks in {kept.parent}\n" in text
    assert not kept.exists()


def test_doctor_deletes_cached_images(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(tmp_path))
    cached = folders.top_folder() / folders.IMAGE_CACHE / "0123"
    cached.mkdir(parents=True)
    (cached / "pixels.bin").write_bytes(b"\0" * 60_000_000)
    cached.with_name("0123.lock").touch()
    assert "60.0 MB of decoded images" in called(capsys, "doctor")[1]
    text = called(capsys, "doctor", "--clean")[1]
    assert text.startswith(f"deleted 60.0 MB of decoded images in {cached.parent}\n")
    assert "0 Bytes of decoded images" in text
    assert not cached.exists()
