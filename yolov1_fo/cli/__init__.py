"""The command line `yolov1-fo`."""
