"""The ImageExampleGen node."""

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types import standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from darkroom.components.artifacts import Quarantine
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.executor import Executor


class ImageExampleGenSpec(ComponentSpec):
    """Interface of ImageExampleGen."""

    PARAMETERS = {
        "config": ExecutionParameter(type=str),
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "quarantine": ChannelParameter(type=Quarantine),
    }


class ImageExampleGen(BaseBeamComponent):
    """Turns images and labels into tf.Examples, and sets the rest aside with the reason.

    Outputs:
        examples: Splits `train`, `eval` and maybe `test`; custom properties `examples_train`,
            `examples_eval`, `examples_test`.
        quarantine: quarantine.jsonl and summary.json; custom properties `rows`, `examples`,
            `quarantined`, `skipped`, of which the first is the sum of the others.
    """

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)

    def __init__(self, config: DataConfig, fingerprint: str = "") -> None:
        """Declares the node.

        Args:
            config: The recipe's `data` section.
            fingerprint: Of the data, so that changed files miss the cache. Empty: the data is
                checked when the node runs, and the caller keeps the node out of the cache.
        """
        spec = ImageExampleGenSpec(
            config=config.ingest_json(),
            fingerprint=fingerprint,
            examples=Channel(type=standard_artifacts.Examples),
            quarantine=Channel(type=Quarantine),
        )
        super().__init__(spec=spec)
