"""Prints the process's memory in bytes after each reload of a model of 13 MB; run by a test.

`python -m darkroom.tests.serving.models.reload_fifty_times FOLDER COUNT`
"""

import asyncio
import json
import os
import resource
import shutil
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.models import memory
from darkroom.serving.model_server.models.loading import LoadPolicy
from darkroom.serving.model_server.models.manager import ModelManager
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.servables.loading import load_model
from darkroom.serving.model_server.servables.threaded import ThreadedServable
from darkroom.tests.serving.models.fakes import lease, states, wait_until

SIZE, LAYERS = 576, 10


class Layers(tf.Module):
    """Ten layers of 576 × 576 weights."""

    def __init__(self):
        super().__init__()
        self.weights = [tf.Variable(tf.random.normal([SIZE, SIZE])) for _ in range(LAYERS)]

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE], tf.float32, "x")])
    def call(self, x):
        for weights in self.weights:
            x = tf.tanh(x @ weights)
        return {"y": x}


def read_memory():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def put(saved, base_path, version):
    hidden = base_path / ".new"
    shutil.copytree(saved, hidden, copy_function=os.link)
    hidden.rename(base_path / str(version))


async def ask(servable):
    outputs = await servable.run("serving_default", {"x": np.zeros((4, SIZE), np.float32)})
    assert outputs["y"].shape == (4, SIZE)


def reload(folder, count):
    saved, base_path = folder / "saved", folder / "served"
    module = Layers()
    tf.saved_model.save(module, str(saved), {"serving_default": module.call})
    del module
    base_path.mkdir()
    put(saved, base_path, 1)
    memory.set_aside()
    config = ServerConfig(model_base_path=base_path)
    manager = ModelManager(
        "m",
        base_path,
        lambda path: ThreadedServable(load_model(path, config), None),
        Metrics(),
        LoadPolicy(poll_wait_seconds=0.01, max_num_retries=0),
    )
    manager.start()
    manager.wait_for_first_look()
    for version in range(1, count + 1):
        with lease(manager, version) as loaded:
            asyncio.run(ask(loaded.servable))
        del loaded
        put(saved, base_path, version + 1)
        wait_until(lambda: manager.is_available(version + 1))  # noqa: B023
        wait_until(lambda: states(manager)[version] == "END")  # noqa: B023
        shutil.rmtree(base_path / str(version))
        memory.give_back()
        yield read_memory()
    manager.stop()
    assert manager.join(20)


if __name__ == "__main__":
    print(json.dumps(list(reload(Path(sys.argv[1]), int(sys.argv[2])))))
