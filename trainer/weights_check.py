"""Whether training will find its weights: asked before anything runs.

Nothing here imports Keras before it has to: a file that is missing is told at once.
"""

from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.weights_file import check_weights_file


def check_weights(config: TrainerConfig, height: int, width: int) -> None:
    """Does what training will do to have its weights; ImageNet's are downloaded where missing.

    Args:
        config: The recipe's `trainer` section.
        height: Image height in pixels.
        width: Image width in pixels.

    Raises:
        WeightsError: They cannot be had; the message says why and what to set.
    """
    if config.weights_file:
        check_weights_file(config, config.weights_file)
    if config.weights not in ("letters", "none"):
        _load(config, height, width)


def _load(config: TrainerConfig, height: int, width: int) -> None:
    import keras

    from darkroom.trainer.backbone_weights import load_backbone_weights
    from darkroom.trainer.model import build_backbone

    load_backbone_weights(build_backbone(config.backbone, height, width, config.alpha), config)
    # Names that Keras numbers begin anew, so that a model is what it is without this check; and
    # the memory is given back.
    keras.utils.clear_session()
