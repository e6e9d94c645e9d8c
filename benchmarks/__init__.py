"""Scripts that measure; run as `python -m benchmarks.<name>`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow loads
