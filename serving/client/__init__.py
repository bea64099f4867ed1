"""Asks any TensorFlow Serving, the embedded one too, over REST or gRPC.

    from darkroom.serving.client import GrpcClient, RestClient

    with RestClient("http://127.0.0.1:8501", "digits") as client:
        for prediction in client.predict([path.read_bytes()]):
            print(prediction.label, prediction.score)

`predict_many` takes any number of images, in concurrent batches; `predict_raw` calls any signature,
`classify` and `regress` take features as mappings.

Never imports TensorFlow. Neither client looks at proxy settings of the environment.
"""

from darkroom.serving.client.errors import (
    AnswerError,
    ClientError,
    ClosedError,
    DeadlineError,
    RequestError,
    TlsError,
    UnavailableError,
)
from darkroom.serving.client.examples import ClassScore
from darkroom.serving.client.grpc_client import GrpcClient
from darkroom.serving.client.prediction import Prediction
from darkroom.serving.client.rest_client import RestClient
from darkroom.serving.client.retry import RetryPolicy
from darkroom.serving.client.signatures import Signature, TensorSpec
from darkroom.serving.client.target import ModelVersionStatus, Target
from darkroom.serving.client.tls import TlsConfig

__all__ = [
    "AnswerError",
    "ClassScore",
    "ClientError",
    "ClosedError",
    "DeadlineError",
    "GrpcClient",
    "ModelVersionStatus",
    "Prediction",
    "RequestError",
    "RestClient",
    "RetryPolicy",
    "Signature",
    "Target",
    "TensorSpec",
    "TlsConfig",
    "TlsError",
    "UnavailableError",
]
