"""Backbones that `keras.applications` does not have, with constructors of the same form."""

from darkroom.trainer.applications import efficientnet_lite
from darkroom.trainer.applications.efficientnet_lite import (
    EfficientNetLite0,
    EfficientNetLite1,
    EfficientNetLite2,
)

__all__ = ["EfficientNetLite0", "EfficientNetLite1", "EfficientNetLite2", "efficientnet_lite"]
