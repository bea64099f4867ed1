"""What ImageExampleGen is."""

from typing import Final

from darkroom.components.image_example_gen.fingerprint import fingerprint
from darkroom.components.node import NodeSpec, WorldState

IMAGE_EXAMPLE_GEN: Final = NodeSpec(
    "ImageExampleGen",
    {("config",): "data"},
    state=WorldState(
        name="data_fingerprint",
        location="data.path",
        read=lambda recipe: fingerprint(recipe.data),
        property="fingerprint",
        description="Fingerprint of the data's content; empty: the data are read as they are when "
        "the run gets there.",
    ),
)
