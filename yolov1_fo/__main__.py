"""Runs the command line with `python -m yolov1_fo`, or a job of the App."""

import sys
from pathlib import Path

if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        from yolov1_fo.jobs import worker

        sys.exit(worker.main(Path(sys.argv[2])))
    from yolov1_fo.cli import main

    sys.exit(main.main())
