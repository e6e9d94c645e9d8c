"""Runs the command line, `python -m yolov1_fo`, or a job of the App's."""

import sys
from pathlib import Path

if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        from yolov1_fo import worker

        sys.exit(worker.main(Path(sys.argv[2])))
    from yolov1_fo import cli

    sys.exit(cli.main())
