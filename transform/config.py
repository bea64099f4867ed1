"""The recipe's `transform` section."""

from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

ResizeMode = Literal["stretch", "pad", "crop"]


class Rendering(NamedTuple):
    """How pixels become those of 8 bits and three channels.

    Attributes:
        background: Red, green and blue of what transparent pixels show, 0 to 255.
        stretch_16_bit: Whether a grey image of 16 bits has its darkest level at 0 and its brightest
            at 255; else the upper 8 bits are taken.
    """

    background: tuple[int, int, int] = (255, 255, 255)
    stretch_16_bit: bool = False


PLAIN: Final = Rendering()


class TransformConfig(BaseModel):
    """How an encoded image becomes the tensor that the model sees.

    Args:
        image_height: Height of the tensor in pixels.
        image_width: Width of the tensor in pixels.
        resize: `stretch` ignores the aspect ratio, `pad` keeps it and adds black borders,
            `crop` keeps it and cuts the centre.
        background: Colour that transparent images are laid on, as `#rrggbb`.
        stretch_16_bit: Whether grey images of 16 bits are stretched, each from its darkest to its
            brightest level. Else the upper 8 bits are taken, and an image of a 12-bit sensor is
            nearly black.
        materialize: Whether Transform writes the tensors, height x width x 3 bytes each, for
            Trainer to read. Else Trainer decodes the images itself, with the same function.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_height: int = Field(default=224, ge=32, le=1024)
    image_width: int = Field(default=224, ge=32, le=1024)
    resize: ResizeMode = "stretch"
    background: str = Field(default="#ffffff", pattern="^#[0-9a-fA-F]{6}$")
    stretch_16_bit: bool = False
    materialize: bool = False

    @property
    def rendering(self) -> Rendering:
        """How decoded pixels become those of the tensor."""
        red, green, blue = bytes.fromhex(self.background[1:])
        return Rendering((red, green, blue), self.stretch_16_bit)
