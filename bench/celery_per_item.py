"""What people would write without an engine: one Celery task for each item, which sends it and is done.

Nothing is asked, nothing is kept but the broker's message, and what is lost is lost. A worker of its own imports it.
"""

import os
from http.client import HTTPConnection

from celery import Celery

app = Celery("per_item", broker=os.environ.get("BENCH_BROKER", "memory://"), set_as_current=False)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)
app.conf.task_default_queue = "bench-per-item"


@app.task
def send(port: int, body: str) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/documents", body.encode(), {"Content-Type": "application/xml"})
        connection.getresponse().read()
    finally:
        connection.close()
