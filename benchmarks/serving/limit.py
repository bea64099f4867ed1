"""The model alone, called in-process.

Usage: `python -m darkroom.benchmarks.serving.limit PATH NAME SECONDS`.

A process of its own, so that the one who measures holds no TensorFlow. It writes one line of JSON:
for every batch size images per second, and what a single call takes.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from darkroom.benchmarks.serving.load import percentile
from darkroom.benchmarks.serving.requests import encoded_images

BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
WARM_UP_CALLS: Final = 2


def time_calls(call: Callable[[], Any], seconds: float) -> list[float]:
    """Calls for some seconds, once at least; returns the seconds of each call."""
    for _ in range(WARM_UP_CALLS):
        call()
    took: list[float] = []
    end = time.perf_counter() + seconds
    while not took or time.perf_counter() < end:
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return took


def measure(model_path: Path, images: list[bytes], seconds: float) -> dict[str, Any]:
    """Measures every batch size for as many seconds.

    Larger batches are left out once a batch takes longer than those seconds.
    """
    model = tf.saved_model.load(str(model_path))
    function = model.signatures["serving_default"]
    endless = itertools.cycle(images)
    rates: dict[int, float] = {}
    micros: dict[int, float] = {}
    single: list[float] = []
    for size in BATCH_SIZES:
        batch = tf.constant(list(itertools.islice(endless, size)))

        def call(batch: tf.Tensor = batch) -> None:
            for tensor in function(image_bytes=batch).values():
                tensor.numpy()

        cpu = time.process_time()
        took = time_calls(call, seconds)
        cpu = time.process_time() - cpu
        single = single or sorted(took)
        rates[size] = size * len(took) / sum(took)
        micros[size] = cpu / (len(took) + WARM_UP_CALLS) / size * 1e6
        if min(took) > seconds:
            break
    best = max(rates, key=lambda size: rates[size])
    return {
        "rates": rates,
        "best_batch_size": best,
        "rate": rates[best],
        "micros": micros[best],
        "call_p50_ms": percentile(single, 0.5) * 1e3,
        "call_p99_ms": percentile(single, 0.99) * 1e3,
    }


if __name__ == "__main__":
    result = measure(Path(sys.argv[1]), encoded_images(sys.argv[2]), float(sys.argv[3]))
    print(json.dumps(result), flush=True)
