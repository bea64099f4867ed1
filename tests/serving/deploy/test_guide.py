"""docs/deploy.md: every command names what there is, every value is the files'."""

import re
import shlex

import pytest
import yaml

from darkroom.serving.client.arguments import create_parser
from darkroom.serving.model_server.flags import OWN_FLAGS, parse_flags
from darkroom.tests.serving.deploy.flags import parse_batching, parse_models, value_of
from darkroom.tests.serving.deploy.rendering import (
    DEPLOY,
    KUBERNETES,
    ROOT,
    container_of,
    pod_spec,
    render,
    render_compose,
)

GUIDE = (ROOT / "docs" / "deploy.md").read_text()
KINDS = {
    "configmap": "ConfigMap",
    "deployment": "Deployment",
    "pod": "Pod",
    "service": "Service",
}
KUBECTL_VERBS = {
    "apply", "cp", "delete", "exec", "port-forward", "rollout", "scale", "wait",
}  # fmt: skip


def blocks_of(language):
    pattern = rf"^( *)```{language}\n(.*?)^ *```$"
    return [match[2] for match in re.finditer(pattern, GUIDE, re.MULTILINE | re.DOTALL)]


def commands():
    lines = [line.strip() for block in blocks_of("sh") for line in block.splitlines()]
    inline = re.findall(r"`((?:kubectl|docker compose) [^`]*)`", GUIDE)
    return [shlex.split(line) for line in (*lines, *inline) if line]


def commands_of(*program):
    found = [words for words in commands() if tuple(words[: len(program)]) == program]
    assert found
    return found


def rendered(kind):
    names = ("base", "loader", "overlays/canary")
    return set().union(*(render(name).names_of(kind) for name in names))


def option_values(words, option):
    return [words[place + 1] for place, word in enumerate(words) if word == option]


def test_every_command_is_of_a_kind_that_is_checked_here():
    known = (
        r"kubectl ", r"docker compose ", r"\.venv/bin/python -m darkroom\.serving\.client ",
        r"rclone (copy|move)", r"version=\$", r"(mv|rm -r) models/",
    )  # fmt: skip
    for words in commands():
        assert re.match("|".join(known), " ".join(words)), words
    assert len(commands()) > 25


def test_client_commands_are_ones_that_the_client_takes():
    for words in commands_of(".venv/bin/python", "-m", "darkroom.serving.client"):
        assert create_parser().parse_args(words[3:]).model == "digits"


def test_compose_commands_name_the_file_and_its_profiles():
    for words in commands_of("docker", "compose"):
        for path in option_values(words, "-f"):
            assert (ROOT / path).samefile(DEPLOY / "compose.yaml")
        for profile in option_values(words, "--profile"):
            assert render_compose(profile)["services"]


def test_variables_of_the_compose_file_are_in_the_guide():
    used = set(re.findall(r"\$\{(DARKROOM_\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert used == set(re.findall(r"DARKROOM_[A-Z_]+", GUIDE))


def test_kubectl_commands_are_in_the_namespace_of_the_manifests():
    for words in commands_of("kubectl"):
        for namespace in option_values(words, "-n"):
            assert {namespace} == render("base").names_of("Namespace")
        [verb] = [word for word in words if word in KUBECTL_VERBS][:1]
        assert verb in KUBECTL_VERBS


def test_applied_folders_are_kustomizations():
    applied = [path for words in commands_of("kubectl") for path in option_values(words, "-k")]
    assert len(set(applied)) >= 6
    for path in applied:
        assert (ROOT / path / "kustomization.yaml").is_file(), path
        assert render(str((ROOT / path).relative_to(KUBERNETES))).resources


def test_resources_that_commands_name_are_in_the_manifests():
    named = [
        word.split("/")
        for words in commands_of("kubectl")
        for word in words
        if word.partition("/")[0] in KINDS and "/" in word
    ]
    assert len(named) >= 6
    for kind, name in named:
        assert name in rendered(KINDS[kind])


def test_loader_pod_of_the_copying_commands_is_in_the_manifests():
    [pod] = render("loader").names_of("Pod")
    for words in [*commands_of("kubectl", "-n", "darkroom", "exec"),
                  *commands_of("kubectl", "-n", "darkroom", "cp")]:  # fmt: skip
        assert any(word.partition(":")[0] == pod for word in words)


def test_removing_the_canary_removes_all_of_it_and_nothing_else():
    [words] = commands_of("kubectl", "-n", "darkroom", "delete", "deployment,service,configmap")
    key, value = option_values(words, "-l")[0].split("=")
    kinds = {KINDS[kind] for kind in words[4].split(",")}
    manifests = render("overlays/canary")
    base = {(each["kind"], each["metadata"]["name"]) for each in render("base").resources}
    for resource in manifests.resources:
        identity = (resource["kind"], resource["metadata"]["name"])
        labelled = resource["metadata"].get("labels", {}).get(key) == value
        own = "-canary" in identity[1]
        assert labelled == own, identity
        assert not (labelled and identity in base)
        if labelled:
            assert resource["kind"] in kinds


@pytest.mark.parametrize("mount", ["/models/digits"])
def test_copied_models_land_where_the_servers_look(mount):
    [model] = parse_models((DEPLOY / "config" / "models.config").read_text())
    assert model.base_path == mount
    copied = [word for words in commands_of("kubectl") for word in words if "partial" in word]
    assert copied
    assert all(mount in word for word in copied)


def test_paths_in_the_text_exist():
    quoted = set(re.findall(r"`((?:serving/deploy|overlays|components)[\w./-]*)`", GUIDE))
    assert len(quoted) >= 6
    for path in quoted:
        base = ROOT if path.startswith("serving") else KUBERNETES
        assert (base / path).exists(), path
    for name in re.findall(r"`([\w-]+\.config)`", GUIDE):
        assert list(DEPLOY.rglob(name)), name


def test_flags_in_the_text_are_tensorflow_servings():
    named = set(re.findall(r"`--([a-z_]{4,})[=`]", GUIDE)) - {"profile", "label"}
    assert len(named) >= 3
    for name in named:
        assert name not in OWN_FLAGS
        parse_flags(["--model_base_path=/models/digits", f"--{name}=1"])


def test_text_proto_with_labels_names_the_versions_that_it_serves():
    [text] = blocks_of("textproto")
    [model] = parse_models(text)
    versions = set(model.model_version_policy.specific.versions)
    assert set(model.version_labels.values()) == versions
    assert set(model.version_labels) == {"stable", "canary"}


def test_adapter_rule_makes_the_metric_that_the_autoscaler_reads():
    [text] = blocks_of("yaml")
    [rule] = yaml.safe_load(text)["rules"]
    kustomization = KUBERNETES / "components" / "request-autoscaling" / "kustomization.yaml"
    assert f"metric: {{name: {rule['name']['as']}}}" in kustomization.read_text()


def test_batching_table_is_what_the_files_say():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|", GUIDE, re.MULTILINE)
    assert len(rows) == 4
    for column, name in ((1, "batching.config"), (2, "batching-gpu.config")):
        parameters = parse_batching((DEPLOY / "config" / name).read_text())
        for row in rows:
            assert getattr(parameters, row[0]).value == int(row[column])


def test_times_in_the_text_are_the_manifests():
    deployment = render("base").one_of("Deployment")
    container = container_of(deployment)
    [_, sleep] = container["lifecycle"]["preStop"]["exec"]["command"]
    timeout = int(value_of(container["args"], "rest_api_timeout_in_ms")) // 1000
    grace = pod_spec(deployment)["terminationGracePeriodSeconds"]
    assert f"`preStop` sleeps {sleep} s" in GUIDE
    assert f"({timeout} s, `--rest_api_timeout_in_ms`" in GUIDE
    assert f"comes at {grace} s" in " ".join(GUIDE.split())
    looks = value_of(container["args"], "file_system_poll_wait_seconds")
    assert f"looks every {looks} s" in GUIDE


def test_image_version_in_the_text_is_the_one_that_is_deployed():
    image = container_of(render("base").one_of("Deployment"))["image"]
    assert f"`tensorflow/serving` image, {image.partition(':')[2]}" in GUIDE
