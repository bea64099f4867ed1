"""Writes `docs/recipe.md`, every field of a recipe: `python -m darkroom.tools.recipe_reference`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from darkroom.recipe.reference import FieldReference, list_fields

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "recipe.md"
BAR: Final = r"\|"
"""A bar that does not end a cell."""
INTRODUCTION: Final = """\
# The recipe

<!-- Written by `python -m darkroom.tools.recipe_reference`; change the docstrings instead. -->

A recipe is a YAML file that says what one pipeline does. `darkroom init` writes one for your
photographs; `configs/` has examples. It is checked whole before anything runs: an unknown field, a
value that cannot be, a field said twice are refused in one line each, with exit code 2.

`.venv/bin/darkroom recipe` prints these fields, `darkroom recipe trainer.augmentation` one section.

## In an editor

Editors that use the YAML language server (VS Code with the YAML extension, Neovim, Emacs and
others) complete and check a recipe by a schema:

```sh
.venv/bin/darkroom recipe --schema > recipe.schema.json
```

and, as the recipe's first line, where the schema lies beside it:

```yaml
# yaml-language-server: $schema=recipe.schema.json
```

Write the schema anew after an upgrade.

## Fields

`[]` stands for each entry of a list, `NAME` for a name of your own: in `evaluation.thresholds` a
metric's, in `kubeflow.steps` a node's. What a step of `kubeflow.steps` may say is what
`kubeflow.defaults` may.
"""


def render() -> str:
    """The page: a table for each section, in the order of the classes."""
    sections: dict[str, list[FieldReference]] = {}
    for field in list_fields():
        sections.setdefault(field.name.rpartition(".")[0], []).append(field)
    tables = (_render_table(name, fields) for name, fields in sections.items())
    return "\n".join([INTRODUCTION, *tables])


def _render_table(section: str, fields: Sequence[FieldReference]) -> str:
    title = f"`{section}`" if section else "Outside of sections"
    head = f"### {title}\n\n| Field | Takes | Default | Meaning |\n|---|---|---|---|\n"
    return head + "".join(map(_render_row, fields))


def _render_row(field: FieldReference) -> str:
    default = f"`{field.default}`" if field.default else "has to be said"
    cells = (f"`{field.name}`", field.type, default, field.meaning)
    return f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |\n"


def main() -> int:
    """Writes the page; returns the exit status."""
    PAGE.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
