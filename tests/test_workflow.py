"""The complete workflow: train on a view, apply, evaluate."""

import pytest

import yolov1_fo


@pytest.mark.slow
def test_train_apply_evaluate(painted, micro):
    run = yolov1_fo.train(
        painted.match_tags("train"),
        val_samples=painted.match_tags("val"),
        run_key="tiny",
        epochs=1,
        **micro,
    )
    model = yolov1_fo.load_model(run.checkpoint_dir)
    painted.apply_model(model, label_field="yolov1", batch_size=3)
    report = yolov1_fo.evaluate(painted, "yolov1", eval_key="tiny_eval")
    assert painted.count("yolov1.detections") > 0
    assert 0 <= report.voc07 <= 1
    results = painted.load_evaluation_results("tiny_eval")
    assert results.metrics()["voc07"] == report.voc07
