"""The recipe's `push` section."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from darkroom.storage.object_store.location import checked_uri, is_uri


class PushConfig(BaseModel):
    """Where a blessed model goes.

    Args:
        destination: The folder that the model server polls; versions become folders in it. One of
            this machine, or a URI such as s3://bucket/models/digits (gs://, minio://).
        model_name: Name under which the model is served.
        warmup_batch_sizes: A warm-up request of each size is written beside the model, so that
            the first caller does not pay for the first call.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    destination: str = Field(min_length=1)
    model_name: str = Field(default="model", pattern=r"^[A-Za-z0-9_.-]+$")
    warmup_batch_sizes: tuple[int, ...] = (1, 8)

    @field_validator("destination")
    @classmethod
    def _is_a_folder(cls, value: str) -> str:
        return checked_uri(value) if is_uri(value) else value

    @field_validator("warmup_batch_sizes")
    @classmethod
    def _are_positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(size < 1 for size in value):
            raise ValueError("each size must be at least 1")
        return value
