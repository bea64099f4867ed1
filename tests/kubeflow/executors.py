"""Executors for tests of the entrypoint."""

from pathlib import Path

from tfx.dsl.components.base.base_executor import BaseExecutor


class Waiting(BaseExecutor):
    """Says that it is there, and waits; says so when it is stopped."""

    def Do(self, input_dict, output_dict, exec_properties):
        import signal

        folder = Path(exec_properties["destination"])
        (folder / "here").touch()
        try:
            signal.pause()
        finally:
            (folder / "cleaned up").touch()


class NoAnswerError(Exception):
    """As gRPC's errors are: the first line of the text says nothing."""

    def __str__(self):
        return "<RPC that terminated with:\n\tstatus = DEADLINE_EXCEEDED>"

    def details(self):
        return "Deadline Exceeded"


class Unanswered(BaseExecutor):
    """Waits in vain for Beam's job server."""

    def Do(self, input_dict, output_dict, exec_properties):
        raise NoAnswerError


class Broken(BaseExecutor):
    """Raises what nobody has foreseen."""

    def Do(self, input_dict, output_dict, exec_properties):
        raise ZeroDivisionError("by zero\nand more")
