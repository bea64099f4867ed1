"""The rooms: the folders whose code is installed."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOT_INSTALLED = {"benchmarks", "tests", "tools"}
ROOMS = tuple(sorted({path.parent.name for path in ROOT.glob("[a-z]*/*.py")} - NOT_INSTALLED))
