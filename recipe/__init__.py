"""The recipe: what a run depends on, read from YAML and validated whole."""

from darkroom.recipe.errors import ConfigError
from darkroom.recipe.recipe import Recipe, load_recipe, make_name, parse_recipe
from darkroom.recipe.yaml_file import read_yaml

__all__ = ["ConfigError", "Recipe", "load_recipe", "make_name", "parse_recipe", "read_yaml"]
