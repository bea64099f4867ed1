"""Whether training will find its weights: asked before anything runs.

Nothing here imports TensorFlow before it has to: a file that is missing is told at once.
"""

from pathlib import Path

import h5py

from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.errors import WeightsError


def check_weights(config: TrainerConfig, height: int, width: int) -> None:
    """Does what training will do to have its weights; ImageNet's are downloaded where missing.

    Args:
        height: Image height in pixels.
        width: Image width in pixels.

    Raises:
        WeightsError: They cannot be had; the message says why and what to set.
    """
    if config.weights_file:
        check_weights_file(config, config.weights_file)
    if config.weights not in ("letters", "none"):
        from darkroom.trainer.engines.engine import load_engine

        load_engine().check_weights(config, (height, width, 3))


def check_weights_file(config: TrainerConfig, path: Path) -> None:
    """Raises WeightsError for a file that is not HDF5, and so holds no weights of any backbone."""
    remedy = f"set weights to a file of {config.backbone}, or to none"
    if not path.is_file():
        raise WeightsError(f"trainer.weights: {str(path)!r} is not a file; {remedy}")
    try:
        with path.open("rb"):
            is_hdf5 = h5py.is_hdf5(path)
    except OSError as error:
        raise WeightsError(
            f"trainer.weights: {str(path)!r} cannot be read ({error.strerror}); {remedy}"
        ) from error
    if not is_hdf5:
        raise WeightsError(
            f"trainer.weights: {str(path)!r} is no HDF5 file, as Keras' save_weights writes it; "
            f"{remedy}"
        )
