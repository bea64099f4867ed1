"""How the sessions of models run; apart, as making a session imports TensorFlow."""

from dataclasses import dataclass

from serving.model_server.config import ServerConfig


@dataclass(frozen=True)
class SessionOptions:
    """What TensorFlow is told of each session; 0 leaves it to TensorFlow.

    Args:
        intra_op_threads: Threads that compute one op.
        inter_op_threads: Ops that are computed at a time.
        gpu_memory_fraction: Share of each GPU's memory that this process takes.
    """

    intra_op_threads: int = 0
    inter_op_threads: int = 0
    gpu_memory_fraction: float = 0.0


def read_session_options(config: ServerConfig) -> SessionOptions:
    """Returns what a server's configuration says of sessions, as TensorFlow Serving reads it."""
    intra, inter = config.tensorflow_intra_op_parallelism, config.tensorflow_inter_op_parallelism
    if not (intra or inter):
        intra = inter = config.tensorflow_session_parallelism
    return SessionOptions(intra, inter, config.per_process_gpu_memory_fraction)
