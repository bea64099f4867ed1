"""What ServingCheck does."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from darkroom.components.example_images import read_images
from darkroom.components.model_artifact import serving_model
from darkroom.records.blessing import Blessing
from darkroom.serving.client import ClientError, GrpcClient, Prediction, RestClient
from darkroom.serving.client.prediction import read_predictions
from darkroom.serving.model_server import ModelServer, ModelServerError, ServerConfig

IMAGES = 8
"""Images asked about: a batch, and enough of them to meet several classes."""
NOT_AN_IMAGE = b"not an image"
TOLERANCE = 1e-4
"""Largest difference allowed in a probability; batches of other sizes round otherwise."""
START_SECONDS = 300.0
MODEL_NAME = "candidate"


class Executor(base_executor.BaseExecutor):
    """Starts the model server on the candidate and compares its answers with the model's own."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        Path(blessing.uri).mkdir(parents=True, exist_ok=True)
        images = [image.encoded for image in read_images(input_dict["examples"], "eval", IMAGES)]
        reason = check(serving_model(input_dict["model"]), [*images, NOT_AN_IMAGE])
        Blessing(not reason, reason).write(blessing)


def check(model: Path, images: Sequence[bytes]) -> str:
    """Serves a model and asks it.

    Args:
        images: Encoded images; broken ones are welcome.

    Returns:
        What is wrong, in one line, or an empty string.
    """
    try:
        by_protocol = predict_served(model, images)
    except (ModelServerError, ClientError) as error:
        return " ".join(str(error).split())
    expected = predict_in_process(model, images)
    for protocol, predictions in by_protocol.items():
        difference = compare(expected, predictions)
        if difference:
            return f"the answer over {protocol} differs from the model's own: {difference}"
    return ""


def predict_in_process(model: Path, images: Sequence[bytes]) -> list[Prediction]:
    """What the signature `serving_default` answers when it is called directly."""
    import tensorflow as tf  # Not needed to wire the graph, and slow to import.

    loaded = tf.saved_model.load(str(model))
    answer = loaded.signatures["serving_default"](image_bytes=tf.constant(list(images)))
    outputs = {name: tensor.numpy() for name, tensor in answer.items()}
    return read_predictions(outputs, len(images))


def predict_served(model: Path, images: Sequence[bytes]) -> dict[str, list[Prediction]]:
    """What a model server on free loopback ports answers, by protocol."""
    with tempfile.TemporaryDirectory() as base:
        (Path(base) / "1").symlink_to(model.resolve(), target_is_directory=True)
        config = ServerConfig(
            model_name=MODEL_NAME,
            model_base_path=Path(base),
            rest_port=0,
            grpc_port=0,
            # A model that does not load now will not load in a minute.
            max_num_load_retries=0,
        )
        with ModelServer(config) as server:
            server.wait_until_available(START_SECONDS)
            rest = RestClient(f"http://127.0.0.1:{server.rest_port}", MODEL_NAME)
            grpc = GrpcClient(f"127.0.0.1:{server.grpc_port}", MODEL_NAME)
            with rest, grpc:
                return {"REST": rest.predict(images), "gRPC": grpc.predict(images)}


def compare(expected: Sequence[Prediction], answered: Sequence[Prediction]) -> str:
    """The first difference between two lists of predictions, or an empty string."""
    if len(expected) != len(answered):
        return f"{len(answered)} answers for {len(expected)} images"
    for row, (own, served) in enumerate(zip(expected, answered, strict=True)):
        if (own.valid, own.label) != (served.valid, served.label):
            return f"image {row}: {served.label!r}, not {own.label!r}"
        if list(own.probabilities) != list(served.probabilities):
            return f"image {row}: other classes"
        gap = max(abs(served.probabilities[name] - p) for name, p in own.probabilities.items())
        if not gap <= TOLERANCE:
            return f"image {row}: probabilities by {gap:.2g}, more than {TOLERANCE:.0e}"
    return ""
