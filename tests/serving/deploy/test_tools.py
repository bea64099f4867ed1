import pytest

from darkroom.tests.serving.deploy.rendering import find_tool


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.prefix", str(tmp_path))


def test_missing_tool_fails_the_test_in_ci(bare_machine, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"kustomize build is missing: .*install_tools"):
        find_tool("kustomize build", "kubectl kustomize")


def test_missing_tool_skips_the_test_elsewhere(bare_machine, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install_tools"):
        find_tool("docker-compose")


def test_second_choice_is_taken_where_the_first_is_missing(bare_machine, tmp_path):
    kubectl = tmp_path / "kubectl"
    kubectl.touch(mode=0o755)
    assert find_tool("kustomize build", "kubectl kustomize") == [str(kubectl), "kustomize"]
