"""What people write to serve a Keras model over HTTP: one `model.predict` for each request."""

import base64
import io

import keras
import numpy as np
from flask import Flask, Response, jsonify, request
from PIL import Image


def create_app(model_file: str) -> Flask:
    """Returns the WSGI application.

    Args:
        model_file: A `.keras` file; takes uint8 [N, H, W, 3], returns probabilities [N, C].
    """
    app = Flask(__name__)
    model = keras.models.load_model(model_file)
    _, height, width, _ = model.input_shape

    @app.post("/predict")
    def predict() -> Response:
        image = Image.open(io.BytesIO(base64.b64decode(request.get_json()["image"])))
        pixels = np.asarray(image.convert("RGB").resize((width, height)))
        probabilities = model.predict(pixels[np.newaxis], verbose=0)[0]
        best = int(probabilities.argmax())
        return jsonify(label=best, score=float(probabilities[best]))

    return app
