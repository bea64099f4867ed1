"""docs/recipe.md: what the classes say now, all of it."""

from darkroom.recipe.reference import list_fields
from darkroom.tools.recipe_reference import PAGE, render


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "run `.venv/bin/python -m darkroom.tools.recipe_reference`"
    )


def test_every_field_has_a_row_of_four_cells():
    rows = [line for line in render().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows if row.count("|") - row.count(r"\|") == 5] == [
        name for section in sections() for name in section
    ]


def sections():
    found = {}
    for field in list_fields():
        found.setdefault(field.name.rpartition(".")[0], []).append(field.name)
    return found.values()
