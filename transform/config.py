"""The recipe's `transform` section."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ResizeMode = Literal["stretch", "pad", "crop"]


class TransformConfig(BaseModel):
    """How an encoded image becomes the tensor that the model sees.

    Args:
        image_height: Height of the tensor in pixels.
        image_width: Width of the tensor in pixels.
        resize: `stretch` ignores the aspect ratio, `pad` keeps it and adds black borders,
            `crop` keeps it and cuts the centre.
        materialize: Whether Transform writes the tensors, height x width x 3 bytes each, for
            Trainer to read. Else Trainer decodes the images itself, with the same function.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_height: int = Field(default=224, ge=32, le=1024)
    image_width: int = Field(default=224, ge=32, le=1024)
    resize: ResizeMode = "stretch"
    materialize: bool = False
