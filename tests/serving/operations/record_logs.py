"""Reads what the request log has written, and fills its disk."""

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from darkroom.serving.model_server.operations import record_files


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


def open_full(files, prefix):
    """Every write to this device fails as on a full disk."""
    file = files._open[str(prefix)] = record_files._RecordFile(str(prefix))
    file.writer = tf.io.TFRecordWriter("/dev/full")
