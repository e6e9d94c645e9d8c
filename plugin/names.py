"""Names and messages that several parts of the plugin share."""

PLUGIN = "@yolov1-fo/yolov1"
"""Precedes the name of an operator in its URI."""
GT_FIELD = "ground_truth"
"""The usual field of labels."""
NO_MODEL = "No trained model yet; run 'Train YOLOv1' first"
