"""Celery: task `echo`, acknowledged when done, results by rpc://. Two processes; with a pause, 200 threads."""

import time

from celery import Celery

from echo_job import PAUSE, PREFETCH, URL

app = Celery("bench", broker=URL, backend="rpc://")
app.conf.update(
    task_acks_late=True,
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    broker_heartbeat=0,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)
CONCURRENCY = 200 if PAUSE else 2
app.conf.worker_prefetch_multiplier = max(1, PREFETCH // CONCURRENCY)


@app.task(name="echo")
def echo(text):
    if PAUSE:
        time.sleep(PAUSE)
    return {"__nt_name": "Echoed", "text": text}


if __name__ == "__main__":
    pool = "threads" if PAUSE else "prefork"
    app.worker_main(
        ["worker", "--loglevel=ERROR", f"--concurrency={CONCURRENCY}", f"--pool={pool}"]
        + ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    )
