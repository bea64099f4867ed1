"""`darkroom rollback NAME [VERSION]`: back to a version before the served one."""

import argparse

from darkroom.commands.options import add_pipeline

HELP = "withdraw the served version; the one before it, or VERSION, is served again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_pipeline(parser)
    parser.add_argument("version", nargs="?", type=int, metavar="VERSION", help="to go back to")


def run(options: argparse.Namespace) -> int:
    """Withdraws; later runs do not push the same models again."""
    from darkroom.commands.pipelines import open_pipeline
    from darkroom.storage.versions.lifecycle import list_versions, roll_back

    destination = open_pipeline(options.runs, options.pipeline).destination
    before = {each.number for each in list_versions(destination) if each.state != "withdrawn"}
    served = roll_back(destination, options.version)
    gone = sorted(number for number in before if number > served.number)
    print(
        f"version {served.number} is served; withdrawn: {', '.join(map(str, gone))} "
        f"(`darkroom promote {options.pipeline} {gone[-1]}` takes it back)"
    )
    return 0
