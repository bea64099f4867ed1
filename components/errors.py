"""Errors of the components room; each message is one line that a user can act on."""


class ComponentError(Exception):
    """Base of all errors that a component raises on purpose."""
