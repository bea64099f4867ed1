"""Asks any TensorFlow Serving, the embedded one too, over REST or gRPC.

    from serving.client import GrpcClient, RestClient

    with RestClient("http://127.0.0.1:8501", "digits") as client:
        for prediction in client.predict([path.read_bytes()]):
            print(prediction.label, prediction.score)

Never imports TensorFlow. Neither client looks at proxy settings of the environment.
"""

from serving.client.errors import (
    AnswerError,
    ClientError,
    DeadlineError,
    RequestError,
    UnavailableError,
)
from serving.client.grpc_client import GrpcClient
from serving.client.prediction import Prediction
from serving.client.rest_client import RestClient
from serving.client.retry import RetryPolicy
from serving.client.target import ModelVersionStatus, Target

__all__ = [
    "AnswerError",
    "ClientError",
    "DeadlineError",
    "GrpcClient",
    "ModelVersionStatus",
    "Prediction",
    "RequestError",
    "RestClient",
    "RetryPolicy",
    "Target",
    "UnavailableError",
]
