"""What must start quickly does not import TensorFlow."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys, time
started = time.process_time()
{code}
seconds = time.process_time() - started
print(json.dumps([seconds, "tensorflow" in sys.modules]))
"""


def measure(code):
    command = [sys.executable, "-c", SCRIPT.format(code=code)]
    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(process.stdout)


def test_client_answers_without_tensorflow_and_imports_within_a_second(rest_url, grpc_address):
    code = "import darkroom.serving.client, darkroom.serving.client.__main__"
    seconds, has_tensorflow = measure(code)
    assert not has_tensorflow
    assert seconds < 1
    _, has_tensorflow = measure(
        "from darkroom.serving.client import GrpcClient, RestClient\n"
        f"assert RestClient({rest_url!r}, 'zoo').predict([b'x'])\n"
        f"assert GrpcClient({grpc_address!r}, 'zoo').predict([b'x'])\n"
    )
    assert not has_tensorflow


@pytest.mark.parametrize(
    "code", ["import darkroom.serving.model_server", "import darkroom.serving.model_server.flags"]
)
def test_server_package_is_light(code):
    _, has_tensorflow = measure(code)
    assert not has_tensorflow
