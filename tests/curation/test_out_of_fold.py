"""find_mistakes with folds: models that have not seen what they predict."""

import fiftyone as fo
import pytest

import yolov1_fo
from yolov1_fo.datasets import predicted_by, splitting
from yolov1_fo.runs import records, training_samples


def test_folds_divide_the_samples(painted):
    parts = splitting.folds(painted, 3)
    held_out = [set(fold.values("id")) for _, fold in parts]
    assert sorted(map(len, held_out)) == [2, 3, 3]
    assert set.union(*held_out) == set(painted.values("id"))
    for (rest, _), fold in zip(parts, held_out, strict=True):
        assert set(rest.values("id")) == set(painted.values("id")) - fold
    again = [set(fold.values("id")) for _, fold in splitting.folds(painted, 3)]
    assert again == held_out


def test_samples_of_one_file_are_in_one_fold(painted):
    painted.add_samples([fo.Sample(path) for path in painted.values("filepath")])
    for rest, fold in splitting.folds(painted, 4):
        assert not set(rest.values("filepath")) & set(fold.values("filepath"))


@pytest.mark.slow
def test_each_sample_is_predicted_by_a_model_that_has_not_seen_it(
    painted, micro, monkeypatch, caplog
):
    from yolov1_fo.curation import out_of_fold

    seen = []
    train, apply = out_of_fold.train, out_of_fold.apply

    def watched_train(samples, *arguments, **options):
        seen.append([set(samples.values("id"))])
        return train(samples, *arguments, **options)

    def watched_apply(samples, *arguments):
        seen[-1].append(set(samples.values("id")))
        return apply(samples, *arguments)

    monkeypatch.setattr(out_of_fold, "train", watched_train)
    monkeypatch.setattr(out_of_fold, "apply", watched_apply)
    unlabeled = painted.first().id
    painted.set_values("ground_truth", {unlabeled: None}, key_field="id")
    before = painted.values("ground_truth.detections.id")
    view = painted.exclude_fields("ground_truth")
    report = yolov1_fo.find_mistakes(view, folds=2, epochs=1, **micro)
    labeled = set(painted.values("id")) - {unlabeled}
    assert len(seen) == 2
    for learned, predicted in seen:
        assert learned | predicted == labeled
        assert not learned & predicted
    assert len(painted.exists("out_of_fold")) == 7
    assert report.trained_on == 0
    assert "trained on" not in caplog.text
    assert painted.list_runs() == ["mistake"]  # those of the folds are deleted
    assert painted.values("ground_truth.detections.id") == before
    assert yolov1_fo.find_mistakes(painted, "out_of_fold").trained_on == 0


@pytest.mark.slow
def test_nothing_is_left_of_a_training_that_fails(painted, micro):
    with pytest.raises(ValueError, match="unknown setting epoch"):
        yolov1_fo.find_mistakes(painted, folds=2, epoch=1)

    def fail(*_):
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        yolov1_fo.find_mistakes(painted, folds=2, epochs=1, on_epoch=fail, **micro)
    assert painted.list_runs() == painted.list_saved_views() == []


@pytest.mark.slow
def test_a_run_and_a_field_say_what_was_trained_on(painted, micro, caplog):
    train, val = painted.match_tags("train"), painted.match_tags("val")
    run = yolov1_fo.train(train, val_samples=val, run_key="mine", epochs=1, **micro)
    folder = records.folder_of(painted, "mine")
    assert training_samples.read(folder) == set(train.values("id"))
    model = yolov1_fo.load_model(run.checkpoint_dir, confidence_thresh=0.0)
    yolov1_fo.apply(painted, model, progress=False)
    [about] = predicted_by.read(painted, "predictions")
    assert (about["model"], about["run_folder"]) == ("mine", str(folder))
    assert yolov1_fo.find_mistakes(painted).trained_on == 6
    assert "'predictions' was trained on 6 of these 8 samples" in caplog.text
    painted.apply_model(model, label_field="theirs")
    assert yolov1_fo.find_mistakes(painted, "theirs", run_key="mine").trained_on == 6
    clone = painted.clone()
    assert yolov1_fo.find_mistakes(clone).trained_on == 6
    clone.delete()


def test_the_latest_model_of_a_field_is_last(painted):
    painted.add_sample_field("found", fo.EmbeddedDocumentField, fo.Detections)
    first, second = {"model": "a"}, {"model": "b"}
    field = painted.get_field("found")
    field.info = {"mine": 1}
    field.save()
    for model in (first, second, first):
        predicted_by.record(painted, "found", model, replaces=False)
    assert predicted_by.read(painted, "found") == [second, first]
    predicted_by.record(painted, "found", second, replaces=True)
    assert predicted_by.read(painted, "found") == [second]
    assert painted.get_field("found").info["mine"] == 1
    assert predicted_by.read(painted, "nothing") == []


@pytest.mark.parametrize("content", [b"\xff\x00", b"", b"../x\nzz\n" + b"a" * 24])
def test_a_damaged_list_of_samples_is_not_trusted(tmp_path, content):
    assert training_samples.read(tmp_path) is None
    (tmp_path / training_samples.FILE).write_bytes(content)
    assert (training_samples.read(tmp_path) or set()) <= {"a" * 24}
