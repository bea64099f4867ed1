"""Which state of a project a run is of."""

import subprocess
from pathlib import Path


def find_commit(folder: Path) -> str:
    """Git's name for the state of a folder; empty where it is in no repository, or Git is missing.

    Returns:
        40 hexadecimal digits, and `-dirty` where files that Git knows have been changed since.
    """
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--exclude=*"]
    try:
        ended = subprocess.run([*command, "--dirty"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
