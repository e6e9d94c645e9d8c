"""Runs the command line: `python -m yolov1_fo`."""

import sys

from yolov1_fo.cli import main

if __name__ == "__main__":
    sys.exit(main())
