"""Waits for jobs and runs of the App."""

import time


def wait_for(condition, timeout=240.0):
    """Waits until a condition is true; returns its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "timeout"
        time.sleep(0.2)
    return value


def job_of(dataset, target):
    from yolov1_fo.jobs import monitor

    return next(
        (job for job in monitor.list_jobs(dataset) if job.target == target), None
    )


def epochs_of(dataset, run_key):
    """Returns the number of completed epochs of a run."""
    from yolov1_fo.runs import records, registry

    return (
        records.info(dataset, run_key).epoch if registry.exists(dataset, run_key) else 0
    )


def ended(dataset, target):
    """Waits until a job and its process have ended; returns the job."""
    import psutil

    job = wait_for(
        lambda: (job := job_of(dataset, target)) and not job.progress.is_active and job
    )
    wait_for(lambda: not psutil.pid_exists(job.pid))
    return job
