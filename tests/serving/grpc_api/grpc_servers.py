"""A gRPC server in front of a model that needs no TensorFlow to compute."""

import asyncio
import contextlib
from dataclasses import dataclass

import grpc
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from darkroom.serving import protos
from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.core import ServerCore
from darkroom.serving.model_server.event_loop import EventLoopThread
from darkroom.serving.model_server.grpc_api.server import GrpcServer
from darkroom.serving.model_server.models.loading import LoadPolicy
from darkroom.serving.model_server.models.settings import create_config
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.observer import Observer
from darkroom.tests.serving.models.fakes import create_core

STRING = 7


class Slow:
    """Gives its text back, once it may."""

    def __init__(self, path):
        signature = protos.message_class("tensorflow.SignatureDef")()
        signature.inputs["text"].dtype = STRING
        signature.outputs["text"].dtype = STRING
        self.signature_defs = {"serving_default": signature, "slow": signature}
        self.release = asyncio.Event()

    async def run(self, signature_name, inputs):
        if signature_name == "slow":
            await self.release.wait()
        return {"text": inputs["text"]}

    def close(self):
        pass


class Records(Observer):
    """Keeps what it is told."""

    def __init__(self):
        super().__init__(Metrics())
        self.all = []
        self.begun = 0

    def begin(self, record):
        super().begin(record)
        self.begun += 1

    def end(self, record):
        super().end(record)
        self.all.append(record)


@dataclass
class Running:
    """A server in a thread."""

    loop: EventLoopThread
    server: GrpcServer
    model: Slow
    core: ServerCore
    records: Records

    @property
    def address(self):
        return f"127.0.0.1:{self.server.port}"

    def begin_stop(self, drain_seconds):
        """Returns the future of the stop."""
        self.core.begin_stop()
        return self.loop.submit(self.server.stop(drain_seconds))

    def release(self):
        self.loop.call(self._release())

    async def _release(self):
        self.model.release.set()


@contextlib.contextmanager
def run_server(folder, **options):
    """Serves a model named `m`; raises `StartError` as the server does."""
    config = ServerConfig(model_base_path=folder / "m", **{"grpc_port": 0, **options})
    (folder / "m" / "1").mkdir(parents=True, exist_ok=True)
    (folder / "m" / "1" / "saved_model.pb").touch()
    loop = EventLoopThread()
    models, records = [], Records()

    def load(path):
        models.append(Slow(path))
        return models[0]

    async def start():
        server = GrpcServer(config)
        core = create_core(load, LoadPolicy(poll_wait_seconds=0))
        await core.reload(create_config("m", folder / "m"))
        await server.start(core, records)
        return Running(loop, server, models[0], core, records)

    try:
        running = loop.call(start())
        try:
            yield running
        finally:
            loop.call(running.server.stop(0))
    finally:
        loop.stop()


@contextlib.contextmanager
def open_channel(address, credentials=None, **options):
    options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    channel = (
        grpc.insecure_channel(address, options)
        if credentials is None
        else grpc.secure_channel(address, credentials, options)
    )
    with channel:
        yield channel


def predict(channel, text=b"hello", signature_name="", timeout=20):
    """Returns the text that the model gives back."""
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    return (
        stub.Predict(create_request(text, signature_name), timeout=timeout)
        .outputs["text"]
        .string_val[0]
    )


def create_request(text=b"hello", signature_name=""):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.model_spec.signature_name = signature_name
    tensor = request.inputs["text"]
    tensor.dtype = STRING
    tensor.tensor_shape.dim.add().size = 1
    tensor.string_val.append(text)
    return request
