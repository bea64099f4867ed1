"""What people write to serve a SavedModel over HTTP: one call of its signature for each request."""

import base64

import tensorflow as tf
from flask import Flask, Response, jsonify, request

from darkroom.benchmarks.serving.processes import FLASK_LOADED


def create_app(model_path: str) -> Flask:
    """Returns the WSGI application; `serving_default` of the SavedModel takes `image_bytes` [N]."""
    app = Flask(__name__)
    model = tf.saved_model.load(model_path)
    signature = model.signatures["serving_default"]
    print(FLASK_LOADED, flush=True)

    @app.post("/predict")
    def predict() -> Response:
        image = base64.b64decode(request.get_json()["image"])
        answer = signature(image_bytes=tf.constant([image]))
        label, score = answer["label"].numpy()[0], answer["score"].numpy()[0]
        return jsonify(label=label.decode(), score=float(score))

    return app
