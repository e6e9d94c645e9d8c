"""The whole road, thin: a view in, training steps, boxes in a field, AP out."""

import yolov1_fo


def test_road_from_view_to_report(painted, micro):
    run = yolov1_fo.train(
        painted.match_tags("train"),
        val_samples=painted.match_tags("val"),
        run_key="thin",
        epochs=1,
        **micro,
    )
    model = yolov1_fo.load_model(run.checkpoint_dir)
    painted.apply_model(model, label_field="yolov1", batch_size=3)
    report = yolov1_fo.evaluate(painted, "yolov1", eval_key="thin_eval")
    assert painted.count("yolov1.detections") > 0
    assert 0 <= report.voc07 <= 1
    kept = painted.load_evaluation_results("thin_eval")
    assert kept.metrics()["voc07"] == report.voc07
