"""Runs the ingest and fills the two output artifacts."""

import os
from typing import Any

from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from darkroom.components.image_example_gen.check import check
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import keep_open, open_data
from darkroom.components.image_example_gen.quarantine import IngestSummary, read_summary
from darkroom.components.image_example_gen.shards import ShardPlan, count_shards
from darkroom.components.image_example_gen.split import EVAL, TEST, TRAIN
from darkroom.components.image_example_gen.split_planning import plan_data
from darkroom.components.image_example_gen.transforms import build_ingest
from darkroom.records.counts import ExampleCounts


class Executor(BaseBeamExecutor):
    """Reads all rows once, writes examples and quarantine.

    The same input gives the same files.
    Data in an object store are copied here first (`storage/object_store/scratch.py`): tens of
    thousands of small images come many at a time and are there at the next attempt, which a Beam
    worker that reads them row by row could not offer.
    """

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fills `examples` and `quarantine`; see the component for the parameters.

        Raises:
            DataError: The data as a whole cannot be used.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = DataConfig.model_validate_json(exec_properties["config"])
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        quarantine = artifact_utils.get_single_instance(output_dict["quarantine"])
        with keep_open(config):
            if not exec_properties["fingerprint"]:
                # Nobody has looked at the data yet: a scheduled run reads it at run time.
                check(config)
            with open_data(config).on_disk() as local:
                data = open_data(local)
                split_plan, splits = plan_data(data)
                examples.split_names = artifact_utils.encode_split_names(splits)
                split_uris = {s: artifact_utils.get_split_uri([examples], s) for s in splits}
                unfinished = os.path.join(examples.uri, "unfinished")
                for uri in (*split_uris.values(), unfinished, quarantine.uri):
                    fileio.makedirs(uri)
                shards = count_shards(sum(1 for row in data.list_rows() if not row.skipped))
                shard_plan = ShardPlan(split_uris, unfinished, shards)
                with self._make_beam_pipeline() as pipeline:
                    build_ingest(pipeline, local, split_plan, shard_plan, quarantine.uri)
                fileio.rmtree(unfinished)
        _describe(examples, quarantine, read_summary(quarantine.uri))


def _describe(examples: Artifact, quarantine: Artifact, summary: IngestSummary) -> None:
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    # TFX's only name for TFRecord files; whether one is compressed, its suffix says.
    examples_utils.set_file_format(examples, "tfrecords_gzip")
    splits = summary.splits
    counts = ExampleCounts(
        train=splits[TRAIN],
        eval=splits[EVAL],
        test=splits.get(TEST, 0),
        quarantined=summary.quarantined,
    )
    counts.write(examples, quarantine, summary.skipped)
