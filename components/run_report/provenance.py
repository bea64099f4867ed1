"""How a run came about, as names and values."""

from darkroom.components.run_report.commands import DIRTY
from darkroom.components.run_report.data import ReportData
from darkroom.components.run_report.wording import format_seconds
from darkroom.records.machine import Machine

Facts = list[tuple[str, str]]


def list_facts(data: ReportData) -> Facts:
    """The few for the head of the page."""
    facts = [("Run", data.run_id), ("Made", data.made)]
    if data.nodes:
        took = sum(node.seconds or 0.0 for node in data.nodes)
        facts.append(("Took", format_seconds(took)))
    if data.history:
        took = data.history.seconds
        facts.append(("Training", f"{len(data.history.epochs)} epochs in {format_seconds(took)}"))
    return [(name, value) for name, value in facts if value]


def list_provenance(data: ReportData) -> Facts:
    """All that is known of where a run's result comes from."""
    request = data.request
    facts = [
        ("Recipe", " ".join([request.config, *(f"--set {each}" for each in request.assignments)])),
        ("Commit of the recipe's folder", _describe_commit(request.commit)),
        ("Fingerprint of the data", request.data),
        ("Seeds", _describe_seeds(data)),
        *_machine_facts(data),
    ]
    return [(name, value) for name, value in facts if value]


def _describe_commit(commit: str) -> str:
    changed = ", and files had been changed since" if commit.endswith(DIRTY) else ""
    return commit.removesuffix(DIRTY) + changed


def _describe_seeds(data: ReportData) -> str:
    """The training's, and the salt that the split hashes with."""
    trainer, source = (data.request.recipe.get(name, {}) for name in ("trainer", "data"))
    seeds = [f"trainer.seed {trainer['seed']}"] if "seed" in trainer else []
    seeds += [f"data.split_salt {source['split_salt']}"] if source.get("split_salt") else []
    return ", ".join(seeds)


def _machine_facts(data: ReportData) -> Facts:
    """Of the training, which the cache may have brought; else of the page."""
    trained = data.history.machine if data.history else None
    machine = trained or Machine.here()
    where = "Trained" if trained else "Page made"
    return [
        (f"{where} on", machine.describe()),
        (f"{where} with", machine.describe_versions()),
    ]
