"""Rows from folders: one folder per class, whose name is the label of all images in it."""

from collections.abc import Iterator

from darkroom.components.image_example_gen.sources.source import (
    DataFields,
    Row,
    Source,
    normalize_label,
)


class FolderSource(Source):
    """Class folders."""

    label_field = image_field = "data.path"
    class_remedy = "make one folder of images per class, at least two"

    @classmethod
    def find_conflict(cls, config: DataFields) -> str:
        """See `Source`."""
        if not config.group_column and not config.metadata_columns:
            return ""
        return (
            "group_column and metadata_columns need columns, which class folders do not have; "
            "use format: csv, or leave them out"
        )

    def list_rows(self) -> Iterator[Row]:
        """See `Source`."""
        for number, name in enumerate(self._place.list_files(), start=1):
            yield Row(number, name, normalize_label(name.partition("/")[0]))

    def list_classes(self) -> list[str]:
        """See `Source`; of the empty folders too."""
        return [normalize_label(name) for name in self._place.list_folders()]
