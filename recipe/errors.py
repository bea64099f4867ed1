"""What a recipe is refused with."""


class ConfigError(Exception):
    """A recipe that cannot be used; each line names the field, the value and the remedy."""
