"""What is sent: request bodies as files, made without TensorFlow."""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from darkroom.samples.digits import encode_png, select_digits
from darkroom.serving import protos
from darkroom.serving.protos.tensors import fill_tensor

IMAGES: Final = 50
"""Different images of each kind, sent in turn."""


def write_requests(folder: Path, name: str) -> None:
    """Writes the requests for one model: folders `rest`, `grpc` and, for images, `flask`.

    Args:
        folder: Where to write; what is there already is kept.
        name: `digits`, `resnet50` or `adder`.
    """
    if folder.exists():
        return
    if name == "adder":
        numbers = {"x": np.array([1.0], np.float32), "y": np.array([2.0], np.float32)}
        _write(folder / "rest", [_json({"instances": [{"x": 1.0, "y": 2.0}]})])
        _write(folder / "grpc", [_message(name, numbers)])
        return
    images = encoded_images(name)
    texts = [base64.b64encode(image).decode() for image in images]
    _write(folder / "rest", [_json({"instances": [{"b64": text}]}) for text in texts])
    _write(folder / "flask", [_json({"image": text}) for text in texts])
    _write(
        folder / "grpc",
        [_message(name, {"image_bytes": np.array([image], object)}) for image in images],
    )


def encoded_images(name: str) -> list[bytes]:
    """Returns PNG files of digits for `digits`, JPEG files of 224×224 for `resnet50`."""
    if name == "digits":
        return [encode_png(digit.pixels) for digit in select_digits(IMAGES // 10)]
    return [_encode_jpeg(seed) for seed in range(IMAGES)]


def _encode_jpeg(seed: int) -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((224, 224), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def _message(name: str, inputs: dict[str, np.ndarray]) -> bytes:
    request = protos.create_message("PredictRequest")
    request.model_spec.name = name
    for key, array in inputs.items():
        fill_tensor(request.inputs[key], array)
    return request.SerializeToString()


def _write(folder: Path, bodies: Sequence[bytes]) -> None:
    folder.mkdir(parents=True)
    for index, body in enumerate(bodies):
        (folder / f"{index:03d}").write_bytes(body)
