"""An executor of ours through a portable job endpoint, as Flink's job server offers it.

The endpoint is Beam's own job server for this machine; its workers are those of the step
(LOOPBACK). What comes out must be what the executor writes without it.
"""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components import Quarantine
from components.image_example_gen.config import DataConfig
from components.image_example_gen.executor import Executor
from kubeflow.beam import check_beam_arguments, is_remote
from tests.artifacts import make_artifact
from tests.images import encode, pixels

PATIENCE = 60


@pytest.fixture
def job_endpoint(tmp_path):
    port_file = tmp_path / "port"
    module = "apache_beam.runners.portability.local_job_service_main"
    with (tmp_path / "job_server.log").open("wb") as log:
        command = [sys.executable, "-m", module, "--port=0", f"--port_file={port_file}"]
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield f"localhost:{_read_port(port_file, server)}"
        finally:
            server.terminate()
            server.wait(PATIENCE)


def _read_port(file: Path, server: subprocess.Popen) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        if file.exists() and (port := file.read_text().strip()):
            return port
        time.sleep(0.05)
    raise AssertionError("the job server did not start")


def ingest(data: Path, output: Path, beam_arguments: list[str]) -> list[bytes]:
    """Runs ImageExampleGen's executor; returns its examples, sorted."""
    examples = make_artifact(standard_artifacts.Examples, output / "examples")
    quarantine = make_artifact(Quarantine, output / "quarantine")
    context = Executor.Context(beam_pipeline_args=beam_arguments)
    config = DataConfig(path=data, format="folders")
    Executor(context).Do(
        {},
        {"examples": [examples], "quarantine": [quarantine]},
        {"config": config.ingest_json(), "fingerprint": "known"},
    )
    files = sorted(str(path) for path in (output / "examples").glob("Split-*/*.gz"))
    return sorted(record.numpy() for record in tf.data.TFRecordDataset(files, "GZIP"))


def test_ingestion_through_a_job_endpoint_gives_the_same_examples(tmp_path, job_endpoint):
    for number in range(12):
        path = tmp_path / "data" / f"class-{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(pixels(seed=number)))
    arguments = [
        "--runner=PortableRunner",
        f"--job_endpoint={job_endpoint}",
        "--environment_type=LOOPBACK",
    ]
    check_beam_arguments(arguments, "darkroom:1", "minio://bucket/root")
    assert not is_remote(arguments), "its files are the step's own"
    here = ingest(tmp_path / "data", tmp_path / "here", [])
    assert len(here) == 12
    assert ingest(tmp_path / "data", tmp_path / "there", arguments) == here
