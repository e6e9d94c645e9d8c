"""The command line `yolov1-fo`, the demo and the doctor."""
