"""Steps as their containers run them: a process each, with what Kubeflow would say to it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MODEL_SCHEMA = {"artifactType": {"instanceSchema": "title: tfx.Model\ntype: object\n"}}
BASELINE_MODEL = "darkroom.components.baseline_model.executor.Executor"


def write_arguments(folder, executor=BASELINE_MODEL, destination=None, root=None):
    invocation = {
        "inputs": {
            "parameterValues": {
                "destination": "unused",
                "served": "",
                "push_destination": str(destination or folder / "serving"),
            }
        },
        "outputs": {
            "artifacts": {
                "model": {"artifacts": [{"name": "model", "uri": f"{root or folder}/run/model"}]}
            },
            "outputFile": str(folder / "outputs" / "executor_output.json"),
        },
    }
    parameters = {
        name: {"parameterType": "STRING"} for name in ("destination", "served", "push_destination")
    }
    return [
        *("--executor_class_path", executor),
        *("--json_serialized_invocation_args", json.dumps(invocation)),
        *("--json_serialized_inputs_spec_args", json.dumps({"parameters": parameters})),
        *("--outputs_spec", json.dumps({"artifacts": {"model": MODEL_SCHEMA}})),
        *("--recipe_places", json.dumps({"push_destination": [["destination"]]})),
    ]


def run(arguments):
    command = [sys.executable, "-m", "darkroom.kubeflow.entrypoint", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)


def test_a_step_writes_its_outputs_and_what_it_says_about_them(tmp_path):
    version = tmp_path / "serving" / "12"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"model")
    ended = run(write_arguments(tmp_path))
    assert ended.returncode == 0, ended.stderr
    answer = json.loads((tmp_path / "outputs" / "executor_output.json").read_text())
    (model,) = answer["artifacts"]["model"]["artifacts"]
    assert model["uri"] == f"{tmp_path}/run/model"
    assert model["metadata"]["served_version"] == 12
    assert model["metadata"]["tfx_version"]
    assert (tmp_path / "run/model/Format-Serving/saved_model.pb").read_bytes() == b"model"
    assert "begins after" in ended.stderr and "done in" in ended.stderr


@pytest.mark.parametrize("scheme", ["gs", "s3", "minio"])
def test_artifacts_of_an_object_store_are_where_the_launcher_has_them(tmp_path, scheme):
    """Run with another folder in the place of `/`, where a test has nothing to write."""
    program = (
        "import sys; from darkroom.kubeflow import executor_input as e, entrypoint;"
        f"e.LOCAL_ROOTS = {{s: {str(tmp_path)!r} + r for s, r in e.LOCAL_ROOTS.items()}};"
        "sys.exit(entrypoint.main(sys.argv[1:]))"
    )
    arguments = write_arguments(tmp_path, root=f"{scheme}://bucket/root")
    command = [sys.executable, "-c", program, *arguments]
    subprocess.run(command, cwd=PROJECT, check=True, timeout=120, capture_output=True)
    launcher_folder = {"gs": "gcs"}.get(scheme, scheme)
    assert (tmp_path / launcher_folder / "bucket/root/run/model").is_dir()
    answer = json.loads((tmp_path / "outputs" / "executor_output.json").read_text())
    (model,) = answer["artifacts"]["model"]["artifacts"]
    assert model["uri"] == f"{scheme}://bucket/root/run/model"


def test_steps_that_need_no_tensorflow_do_not_import_it(tmp_path):
    program = (
        "import sys; from darkroom.kubeflow import entrypoint;"
        "code = entrypoint.main(sys.argv[1:]);"
        "heavy = {'tensorflow', 'apache_beam', 'tensorflow_model_analysis'} & set(sys.modules);"
        "print(heavy); sys.exit(code or bool(heavy))"
    )
    command = [sys.executable, "-c", program, *write_arguments(tmp_path)]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr


def test_executors_of_such_steps_import_none_either():
    program = (
        "import sys, importlib; from darkroom.kubeflow.light_imports import *;"
        "import_tfx_types(); skip_component_package();"
        "[importlib.import_module(f'components.{n}.executor') for n in"
        " ('baseline_model', 'data_gate', 'pusher')];"
        "assert not {'tensorflow', 'apache_beam'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True, timeout=120)


@pytest.mark.parametrize(
    ("executor", "words"),
    [
        ("Broken", "ZeroDivisionError: by zero"),
        ("Unanswered", "NoAnswerError: Deadline Exceeded"),
    ],
)
def test_the_last_line_says_what_went_wrong(tmp_path, executor, words):
    (tmp_path / "serving").write_text("no folder")
    ended = run(write_arguments(tmp_path, f"darkroom.tests.kubeflow.executors.{executor}"))
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"error: {words}"
    assert "Traceback" in ended.stderr
    assert not (tmp_path / "outputs").exists()


def test_a_message_that_does_not_fit_is_refused_in_one_line(tmp_path):
    arguments = write_arguments(tmp_path)
    arguments[arguments.index("--recipe_places") + 1] = '{"other": [["destination"]]}'
    ended = run(arguments)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "error: the invocation has no parameter 'other'"
    assert "Traceback" not in ended.stderr


def test_a_step_that_is_stopped_cleans_up(tmp_path):
    (tmp_path / "serving").mkdir()
    arguments = write_arguments(tmp_path, "darkroom.tests.kubeflow.executors.Waiting")
    command = [sys.executable, "-m", "darkroom.kubeflow.entrypoint", *arguments]
    step = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "serving" / "here").exists():
            assert step.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(step.pid, signal.SIGTERM)
        assert step.wait(30) == 128 + signal.SIGTERM
    finally:
        step.kill()
    assert (tmp_path / "serving" / "cleaned up").exists()


PROGRAM = """
import sys
from darkroom.kubeflow.light_imports import hidden, import_tfx_types, skip_component_package

types = import_tfx_types()
skip_component_package()
assert "tensorflow" not in sys.modules
with hidden("sklearn"):
    from tfx.components.trainer.executor import GenericExecutor
    import keras
import tensorflow as tf

assert tf.constant(1).numpy() == 1
assert types.Model is __import__("tfx.types.standard_artifacts", fromlist=["x"]).Model
assert not {"tfx.components.evaluator", "sklearn"} & set(sys.modules)
from sklearn.metrics import accuracy_score

assert accuracy_score([1], [1]) == 1
model = keras.Sequential([keras.layers.Dense(1)])
assert model(tf.ones([1, 2])).shape == (1, 1)
"""


def test_what_is_skipped_at_import_can_be_imported_afterwards():
    """TensorFlow, scikit-learn, and each component by itself, work as ever after light imports."""
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=PROJECT, check=True, timeout=300)
