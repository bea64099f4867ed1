"""Beam's work outside of the step: its own portable job server, as Flink's would be asked.

The job server of Flink is a Java program; Beam's in Python speaks the same Job API and starts
workers by the same two environments, so that what a step sends and what its workers need are tried.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.samples.digits import is_sample_path, sample_files
from darkroom.samples.folder import write_folder
from darkroom.tests.ports import free_ports

PROJECT = Path(__file__).resolve().parents[2]
EXECUTOR = "darkroom.components.image_example_gen.executor.Executor"
SCHEMAS = {"examples": "tfx.Examples", "quarantine": "darkroom.Quarantine"}
PER_CLASS = 3


@contextmanager
def running(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    # The pool starts its workers by the name `python`, as in the image.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT,
        env={**os.environ, "PATH": path},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def job_server(tmp_path_factory):
    """Address of Beam's portable job server."""
    folder = tmp_path_factory.mktemp("job_server")
    port_file = folder / "port"
    options = ("--port_file", str(port_file), "--staging_dir", str(folder / "staging"))
    with running("apache_beam.runners.portability.local_job_service_main", *options) as process:
        deadline = time.monotonic() + 60
        while not (port_file.exists() and port_file.read_text()):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        yield f"localhost:{port_file.read_text().strip()}"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A few digits and their CSV."""
    folder = tmp_path_factory.mktemp("data")
    write_folder(folder, sample_files("csv", PER_CLASS), is_sample_path)
    return folder


def ingest(data: Path, folder: Path, *beam_arguments: str) -> dict[str, dict[str, object]]:
    """Runs ImageExampleGen's step and returns what it says about each output."""
    config = DataConfig(path=data).ingest_json()
    outputs = {name: {"artifacts": [{"name": name, "uri": str(folder / name)}]} for name in SCHEMAS}
    answer = folder / "answer.json"
    invocation = {
        "inputs": {"parameterValues": {"config": config, "fingerprint": "known"}},
        "outputs": {"artifacts": outputs, "outputFile": str(answer)},
    }
    parameters = {name: {"parameterType": "STRING"} for name in ("config", "fingerprint")}
    types = {
        name: {"artifactType": {"instanceSchema": f"title: {title}\ntype: object\n"}}
        for name, title in SCHEMAS.items()
    }
    arguments = [
        *("--executor_class_path", EXECUTOR),
        *("--json_serialized_invocation_args", json.dumps(invocation)),
        *("--json_serialized_inputs_spec_args", json.dumps({"parameters": parameters})),
        *("--outputs_spec", json.dumps({"artifacts": types})),
        *beam_arguments,
    ]
    command = [sys.executable, "-m", "darkroom.kubeflow.entrypoint", *arguments]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=180)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(answer.read_text())["artifacts"]
    return {name: said[name]["artifacts"][0]["metadata"] for name in SCHEMAS}


def read_examples(folder: Path) -> set[bytes]:
    import tensorflow as tf

    files = [str(path) for path in (folder / "examples").glob("Split-*/*")]
    assert files
    return set(tf.data.TFRecordDataset(files).as_numpy_iterator())


def test_workers_in_the_step_and_workers_elsewhere_write_the_same(job_server, data, tmp_path):
    """LOOPBACK: processes of the step; EXTERNAL: a pool that stands for a task manager's."""
    portable = ("--runner=PortableRunner", f"--job_endpoint={job_server}")
    loopback = ingest(data, tmp_path / "loopback", *portable, "--environment_type=LOOPBACK")
    (port,) = free_ports(1)
    pool = "apache_beam.runners.worker.worker_pool_main"
    with running(pool, f"--service_port={port}"):
        external = ingest(
            data,
            tmp_path / "external",
            *portable,
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{port}",
        )
    assert loopback == external
    assert loopback["quarantine"]["examples"] == 10 * PER_CLASS
    examples = read_examples(tmp_path / "loopback")
    assert len(examples) == 10 * PER_CLASS
    assert read_examples(tmp_path / "external") == examples
