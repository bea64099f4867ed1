"""`darkroom recipe`: what a recipe may say."""

import argparse
import json

HELP = "list every field of a recipe: type, default, meaning; or its JSON schema"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "section", nargs="?", default="", metavar="SECTION",
        help="only these fields, such as trainer.augmentation",
    )  # fmt: skip
    parser.add_argument("--schema", action="store_true", help="print the JSON schema, for editors")


def run(options: argparse.Namespace) -> int:
    """Prints the fields, each with its meaning below, or the schema."""
    from darkroom.recipe.reference import list_fields, recipe_schema

    if options.schema:
        print(json.dumps(recipe_schema(), indent=2))
        return 0
    for field in list_fields(options.section):
        default = "has to be said" if field.is_required else f"default {field.default}"
        print(f"{field.name}: {field.type}; {default}\n    {field.meaning}")
    return 0
