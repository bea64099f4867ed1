"""Which of a version folder's models is loaded, and that the server's flags decide it."""

import json

import httpx
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from darkroom.serving.model_server import ModelServer, ServerConfig
from darkroom.serving.model_server.servables.loading import load_model
from darkroom.serving.model_server.servables.saved_model import SavedModel
from darkroom.serving.model_server.servables.tflite import TfliteModel
from darkroom.serving.warmup import WARMUP_FILE
from darkroom.tests.serving.saved_models import save_constant, save_examples, save_tflite


@pytest.fixture
def base_path(tmp_path):
    save_tflite(tmp_path / "1")
    save_constant(tmp_path / "1", 5)
    return tmp_path


def choose(prefer_tflite):
    return ServerConfig(model_base_path="/m", prefer_tflite_model=prefer_tflite)


@pytest.mark.parametrize(("prefer_tflite", "kind"), [(True, TfliteModel), (False, SavedModel)])
def test_flag_chooses_between_two_models_in_a_folder(base_path, prefer_tflite, kind):
    assert isinstance(load_model(base_path / "1", choose(prefer_tflite)), kind)


def test_saved_model_is_loaded_where_there_is_no_tflite_model(base_path):
    (base_path / "1" / "model.tflite").unlink()
    assert isinstance(load_model(base_path / "1", choose(True)), SavedModel)


def serve(base_path, **options):
    config = ServerConfig(
        model_name="m",
        model_base_path=base_path,
        file_system_poll_wait_seconds=0,
        max_num_load_retries=0,
        **options,
    )
    return ModelServer(config)


def post(server, verb, body):
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/m:{verb}"
    return httpx.post(url, content=json.dumps(body), trust_env=False, timeout=30)


def test_server_of_a_tflite_model(tmp_path):
    save_tflite(tmp_path / "1")
    with serve(tmp_path, prefer_tflite_model=True) as server:
        server.wait_until_available(timeout_seconds=0)
        rows = [{"serving_default_x": [1, 2], "serving_default_s": text} for text in ("a", "b")]
        response = post(server, "predict", {"instances": rows})
    expected = [{"PartitionedCall": [2.5, 3.0], "serving_default_s": text} for text in ("a", "b")]
    assert response.json() == {"predictions": expected}


def test_server_with_other_tags_finds_no_graph(base_path):
    with serve(base_path, saved_model_tags={"serve", "gpu"}) as server:
        (status,) = server.list_statuses()
    assert status.state.name == "END"
    assert "matching supplied tags: { gpu serve }" in status.message


@pytest.mark.parametrize("check", [True, False])
def test_server_checks_method_names_where_it_is_told_to(tmp_path, check):
    save_examples(tmp_path / "1")
    body = {"signature_name": "regress_sum", "examples": [{"x": 1.5}]}
    with serve(tmp_path, enable_signature_method_name_check=check) as server:
        response = post(server, "regress", body)
    if not check:
        assert response.json() == {"results": [1.5]}
        return
    assert response.status_code == 400
    assert response.json() == {
        "error": "Expected regression signature method_name to be tensorflow/serving/regress. "
        "Was: tensorflow/serving/predict"
    }


def test_server_limits_the_depth_of_json(base_path):
    with serve(base_path, max_json_depth=5) as server:
        good = post(server, "predict", {"instances": [[[[1.0]]]]})
        bad = post(server, "predict", {"instances": [[[[[1.0]]]]]})
    assert good.json() == {"predictions": [[[[5.0]]]]}
    assert bad.status_code == 400
    assert "nested too deeply: more than 5 levels" in bad.json()["error"]


def test_server_replays_warm_up_requests_as_often_as_it_is_told(base_path, caplog):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
    path = base_path / "1" / WARMUP_FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())
    caplog.set_level("INFO", "darkroom.serving.model_server.servables.warmup")
    with serve(base_path, num_request_iterations_for_warmup=2) as server:
        server.wait_until_available(timeout_seconds=0)
    assert f"{path}: replayed 1 warm-up requests, 2 times each" in caplog.messages
