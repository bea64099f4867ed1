"""Artifact types of our own nodes.

TFX imports an artifact class from its type name, which it splits at exactly one dot; so the
names are `darkroom.<Class>` and the package exports each class.
"""

from tfx.types.artifact import Artifact


class DataBlessing(Artifact):
    """The data are fit to train on."""

    TYPE_NAME = "darkroom.DataBlessing"


class Quarantine(Artifact):
    """Input rows that could not become examples, each with its reason."""

    TYPE_NAME = "darkroom.Quarantine"


class Report(Artifact):
    """A self-contained HTML page about one run."""

    TYPE_NAME = "darkroom.Report"
