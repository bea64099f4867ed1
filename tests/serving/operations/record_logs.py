"""Reads what the request log has written."""

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2


def read_logs(prefix):
    """Returns the `PredictionLog`s of all files of a prefix, up to a record that is torn."""
    logs = []
    for file in sorted(prefix.parent.glob(f"{prefix.name}-*.tfrecord")):
        try:
            for record in tf.data.TFRecordDataset(str(file)):
                logs.append(prediction_log_pb2.PredictionLog.FromString(record.numpy()))
        except tf.errors.DataLossError:
            pass
    return logs
