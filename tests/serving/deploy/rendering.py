"""Renders the deployments, with tools that a developer's machine may lack and CI's may not."""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from darkroom.tests.programs import give_up

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "serving" / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
COMPOSE_FILE = DEPLOY / "compose.yaml"
SERVER_OVERLAYS = (
    "base",
    "overlays/bucket",
    "overlays/canary",
    "overlays/gpu",
    "overlays/own-model",
)
"""What a user applies to get servers."""


def find_tool(*commands):
    """Returns the first of these commands whose program is installed, as a list of words.

    Where there is none, the test fails in CI and is skipped elsewhere.
    """
    folders = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]])
    for command in commands:
        program, *words = command.split()
        if found := shutil.which(program, path=folders):
            return [found, *words]
    give_up(f"{commands[0]} is missing: tests/serving/deploy/install_tools.sh .venv/bin")


class Manifests:
    """The resources of one rendering."""

    def __init__(self, resources):
        self.resources = resources

    def all_of(self, kind):
        return [resource for resource in self.resources if resource["kind"] == kind]

    def one_of(self, kind, name=None):
        [resource] = [
            resource
            for resource in self.all_of(kind)
            if name is None or resource["metadata"]["name"] == name
        ]
        return resource

    def names_of(self, kind):
        return {resource["metadata"]["name"] for resource in self.all_of(kind)}

    @property
    def deployments(self):
        return self.all_of("Deployment")


def run_kustomize(folder):
    command = find_tool("kustomize build", "kubectl kustomize")
    return subprocess.run([*command, str(folder)], capture_output=True, text=True, timeout=60)


def render_folder(folder):
    """Returns the manifests of a kustomization anywhere."""
    rendered = run_kustomize(folder)
    assert rendered.returncode == 0, rendered.stderr
    assert "deprecated" not in rendered.stderr, rendered.stderr
    return Manifests(list(yaml.safe_load_all(rendered.stdout)))


@functools.cache
def render(name):
    """Returns the manifests of a kustomization of ours; callers do not change them."""
    return render_folder(KUBERNETES / name)


def render_new(folder, **kustomization):
    """Writes a kustomization on top of ours and renders it; paths are relative to ours."""
    base = os.path.relpath(KUBERNETES, folder.resolve())
    for key in ("resources", "components"):
        if key in kustomization:
            kustomization[key] = [f"{base}/{name}" for name in kustomization[key]]
    kustomization |= {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return render_folder(folder)


def pod_spec(deployment):
    return deployment["spec"]["template"]["spec"]


def container_of(deployment, name="serving"):
    [found] = [each for each in pod_spec(deployment)["containers"] if each["name"] == name]
    return found


def volume_of(deployment, name):
    [found] = [each for each in pod_spec(deployment)["volumes"] if each["name"] == name]
    return found


def config_of(manifests, deployment):
    """Returns the configuration files that a Deployment's server sees, by name."""
    name = volume_of(deployment, "config")["configMap"]["name"]
    return manifests.one_of("ConfigMap", name)["data"]


def render_compose(profile, **environment):
    """Returns what docker-compose makes of the compose file."""
    command = find_tool("docker-compose")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM_")}
    rendered = subprocess.run(
        [*command, "-f", str(COMPOSE_FILE), "--profile", profile, "config", "--format", "json"],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean | environment,
    )
    assert rendered.returncode == 0, rendered.stderr
    assert not rendered.stderr, rendered.stderr
    return json.loads(rendered.stdout)
