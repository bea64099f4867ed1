"""What TFX leaves out of a node's cache key: the code that it runs, and files that it reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from darkroom.components.source import SourceTree
from darkroom.storage.fingerprint import digest_file

if TYPE_CHECKING:
    from tfx.dsl.components.base.base_component import BaseComponent

SOURCE: Final = "source"
"""Execution property with the fingerprint of the node's code, where any of it is ours."""
CONTENT: Final = "content"
"""Execution property with the digest of the file that the node reads beside its inputs."""
_FUNCTION_SUFFIX: Final = "_fn"
"""What TFX's names of properties that hold the dotted path of a function end in."""


def complete_key(node: "BaseComponent", tree: SourceTree, file: Path | None = None) -> None:
    """Adds execution properties that vary with what a node depends on beside them and its inputs.

    They are part of the cache key on both runtimes. No executor reads them.

    Args:
        file: The file that the node reads, if any. Where it is not here, its content is not known.
    """
    properties = node.exec_properties
    functions = [v for k, v in properties.items() if k.endswith(_FUNCTION_SUFFIX) and v]
    source = tree.fingerprint([node.executor_spec.class_path, *functions])
    if source:
        properties[SOURCE] = source
    if file and file.is_file():
        properties[CONTENT] = digest_file(file).hex()
