"""Warm-up requests, in the place and format in which TensorFlow Serving looks for them.

Source: TensorFlow Serving's guide "SavedModel Warmup": a TFRecord file of `PredictionLog` at
`assets.extra/tf_serving_warmup_requests`, at most 1,000 records.
"""

from collections.abc import Sequence
from pathlib import Path

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"


def write_warmup_requests(
    model: Path, model_name: str, images: Sequence[bytes], batch_sizes: Sequence[int]
) -> None:
    """Writes one Predict request for each batch size; nothing where there are no images.

    Args:
        images: Encoded images; repeated where a batch needs more.
        batch_sizes: Images a request.
    """
    if not images or not batch_sizes:
        return
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    path = model / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for size in batch_sizes:
            batch = [images[index % len(images)] for index in range(size)]
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = "serving_default"
            request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(batch))
            log = prediction_log_pb2.PredictLog(request=request)
            entry = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(entry.SerializeToString())
