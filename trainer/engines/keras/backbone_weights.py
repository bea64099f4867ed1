"""Where a backbone's weights come from: a package, Keras' download, or a file."""

import keras

from darkroom.storage.errors import first_line
from darkroom.trainer.backbones import BACKBONES
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.errors import WeightsError
from darkroom.trainer.weights_check import check_weights_file


def load_backbone_weights(backbone: keras.Model, config: TrainerConfig) -> None:
    """Loads the configured weights into `backbone`; `none` leaves it random.

    Raises:
        WeightsError: The package or the file is missing or does not fit, or the download failed.
    """
    if config.weights == "imagenet":
        backbone.set_weights(_imagenet_weights(backbone, config))
    path = config.weights_file
    if path is None:
        return
    check_weights_file(config, path)
    try:
        backbone.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"trainer.weights: {str(path)!r} does not fit {config.backbone} with alpha "
            f"{config.alpha:g}; it should be what save_weights wrote of that backbone without its "
            f"classifier ({first_line(error)})"
        ) from error


def _imagenet_weights(backbone: keras.Model, config: TrainerConfig) -> list:
    try:
        source = BACKBONES[config.backbone].construct(
            config.alpha, weights="imagenet", input_shape=backbone.input_shape[1:]
        )
    except WeightsError:
        raise
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise WeightsError(
            f"trainer.weights: imagenet for {config.backbone} could not be downloaded "
            f"({first_line(error)}); without network set weights to none or to the path of a "
            f".weights.h5 file"
        ) from error
    return source.get_weights()
