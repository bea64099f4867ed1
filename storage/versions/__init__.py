"""Versions of a model that are served, wherever the push destination lies."""
