"""What all echoes share: where the broker is, how many requests at once, how long a request takes."""

import os

URL = os.environ["BENCH_URL"]
PREFETCH = int(os.environ.get("BENCH_PREFETCH", "1"))
PAUSE = int(os.environ.get("BENCH_PAUSE_MS", "0")) / 1000
