"""The DataGate node."""

import json
from collections.abc import Sequence

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from darkroom.components.artifacts import DataBlessing, Quarantine
from darkroom.components.data_gate.executor import Executor


class DataGateSpec(ComponentSpec):
    """Interface of DataGate."""

    PARAMETERS = {
        "max_quarantined": ExecutionParameter(type=float),
        "fatal": ExecutionParameter(type=str),
        "fatal_features": ExecutionParameter(type=str),
    }
    INPUTS = {
        "quarantine": ChannelParameter(type=Quarantine),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
    }
    OUTPUTS = {"blessing": ChannelParameter(type=DataBlessing)}


class DataGate(BaseComponent):
    """Raises when too many rows are unusable, a split is empty, or an anomaly is fatal.

    A node of its own, because a raising executor loses its outputs: quarantine and anomalies,
    which the user needs to see, belong to nodes that have succeeded.

    Outputs:
        blessing: gate.json; int custom properties `blessed` (1), `quarantined`, `anomalies`,
            `duplicates`, `conflicting_labels`.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        quarantine: BaseChannel,
        anomalies: BaseChannel,
        max_quarantined: float,
        fatal: Sequence[str],
        fatal_features: Sequence[str],
    ) -> None:
        """Declares the node.

        Args:
            max_quarantined: Largest share of unusable rows that passes, 0 to 1.
            fatal: Kinds of anomalies that stop the run, see ValidationConfig.
            fatal_features: Features in which they do.
        """
        spec = DataGateSpec(
            quarantine=quarantine,
            anomalies=anomalies,
            max_quarantined=max_quarantined,
            fatal=json.dumps(list(fatal)),
            fatal_features=json.dumps(list(fatal_features)),
            blessing=Channel(type=DataBlessing),
        )
        super().__init__(spec=spec)
