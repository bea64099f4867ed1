import pytest

from darkroom.tests.kubeflow.commands import compile_quickly, write_recipe


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe's file; no credentials in the environment, and nothing compiled by TFX."""
    for name in ("KFP_TOKEN", "KFP_TOKEN_FILE", "KFP_COOKIE", "KFP_CA_CERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("darkroom.kubeflow.server.submission.compile_recipe", compile_quickly)
    return write_recipe(tmp_path)
