"""Errors of the trainer room; each message is one line that a user can act on."""


class TrainerError(Exception):
    """Base of all errors that the trainer raises on purpose."""


class InputError(TrainerError):
    """The examples cannot be trained on."""


class WeightsError(TrainerError):
    """The backbone's weights cannot be had."""


class PretrainingError(TrainerError):
    """The letters cannot be rendered or learned."""


class DistributionError(TrainerError):
    """Several workers or GPUs cannot train together."""
