"""Errors of the ingest; each message is one line that names field, value and remedy.

ComponentError
└── DataError
    ├── DataLocationError
    └── DataClassesError
"""

from darkroom.components.errors import ComponentError


class DataError(ComponentError):
    """The data as a whole cannot be used."""


class DataLocationError(DataError):
    """A folder, file, column or encoding is not what the recipe says."""


class DataClassesError(DataError):
    """The labels do not make a classification task."""
