"""The signatures of a model as the REST metadata answer shows them."""

import inspect
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format


def write_metadata(name: str, version: int, signature_defs: Mapping[str, Any]) -> bytes:
    """Returns the body of a metadata answer.

    Args:
        name: Name of the model.
        version: The version asked.
        signature_defs: Signature name to `SignatureDef` message.
    """
    signatures = {key: _to_dict(signature_defs[key]) for key in sorted(signature_defs)}
    document = {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


# protobuf 6 has another name for "also fields that have their default value".
_WITH_DEFAULTS = (
    "including_default_value_fields"
    if "including_default_value_fields" in inspect.signature(json_format.MessageToDict).parameters
    else "always_print_fields_with_no_presence"
)


def _to_dict(message: Any) -> dict[str, Any]:
    options: dict[str, Any] = {_WITH_DEFAULTS: True, "preserving_proto_field_name": True}
    return json_format.MessageToDict(message, **options)
