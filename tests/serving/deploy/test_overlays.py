"""What each overlay changes, and nothing else."""

import copy
import shutil

import pytest

from darkroom.tests.serving.deploy.flags import parse_models, value_of
from darkroom.tests.serving.deploy.rendering import (
    DEPLOY,
    config_of,
    container_of,
    pod_spec,
    render,
    render_compose,
    render_folder,
    render_new,
    volume_of,
)


def versions_of(manifests, deployment):
    [model] = parse_models(config_of(manifests, deployment)["models.config"])
    return list(model.model_version_policy.specific.versions)


def as_stable(canary, stable):
    """Returns the canary's Deployment with what may differ taken from the stable one."""
    same = copy.deepcopy(canary)
    assert same["spec"].pop("replicas") == 1
    same["metadata"]["name"] = stable["metadata"]["name"]
    volume_of(same, "config")["configMap"] = volume_of(stable, "config")["configMap"]
    template = same["spec"]["template"]
    for labels in (
        same["metadata"]["labels"],
        same["spec"]["selector"]["matchLabels"],
        template["metadata"]["labels"],
        *(
            each["labelSelector"]["matchLabels"]
            for each in template["spec"]["topologySpreadConstraints"]
        ),
    ):
        assert labels["track"] == "canary"
        labels["track"] = "stable"
    return same


@pytest.fixture
def canary():
    return render("overlays/canary")


def test_canary_differs_in_name_track_number_and_configuration_only(canary):
    stable = canary.one_of("Deployment", "darkroom-serving")
    new = canary.one_of("Deployment", "darkroom-serving-canary")
    assert as_stable(new, stable) == stable


def test_canary_configuration_differs_in_the_version_only(canary):
    stable, new = (
        canary.one_of("Deployment", name)
        for name in ("darkroom-serving", "darkroom-serving-canary")
    )
    [old_version], [new_version] = versions_of(canary, stable), versions_of(canary, new)
    assert old_version != new_version
    old_files, new_files = config_of(canary, stable), config_of(canary, new)
    assert {name for name in old_files if old_files[name] != new_files[name]} == {"models.config"}


def test_stable_pods_of_the_canary_overlay_are_the_bases(canary):
    """So that applying the overlay, or going back to the base, replaces no Deployment."""
    stable = canary.one_of("Deployment", "darkroom-serving")
    base = render("base").one_of("Deployment")
    assert stable["spec"]["selector"] == base["spec"]["selector"]
    pinned = copy.deepcopy(stable)
    volume_of(pinned, "config")["configMap"] = volume_of(base, "config")["configMap"]
    assert pinned == base


def test_traffic_is_split_by_the_number_of_pods(canary):
    shared = canary.one_of("Service", "darkroom-serving")["spec"]["selector"]
    assert "track" not in shared
    alone = canary.one_of("Service", "darkroom-serving-canary")["spec"]["selector"]
    assert alone == shared | {"track": "canary"}
    assert canary.one_of("HorizontalPodAutoscaler")["spec"]["minReplicas"] == 3


def test_autoscaler_and_budget_leave_the_canary_alone(canary):
    assert (
        canary.one_of("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"]
        == "darkroom-serving"
    )
    budget = canary.one_of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert budget["track"] == "stable"


def test_canary_under_other_names_keeps_its_references(tmp_path):
    manifests = render_new(
        tmp_path, namespace="vision", namePrefix="faces-", resources=["overlays/canary"]
    )
    assert manifests.names_of("Deployment") == {
        "faces-darkroom-serving",
        "faces-darkroom-serving-canary",
    }
    target = manifests.one_of("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"]
    assert target == "faces-darkroom-serving"
    for deployment in manifests.deployments:
        pod = pod_spec(deployment)
        assert pod["serviceAccountName"] == "faces-darkroom-serving"
        claim = volume_of(deployment, "models")["persistentVolumeClaim"]["claimName"]
        assert claim == "faces-darkroom-models"
        assert config_of(manifests, deployment)["models.config"]


def test_gpu_pods_ask_for_a_gpu_and_go_where_there_is_one():
    deployment = render("overlays/gpu").one_of("Deployment")
    container = container_of(deployment)
    for key in ("requests", "limits"):
        assert container["resources"][key]["nvidia.com/gpu"] == "1"
    assert container["image"].endswith("-gpu")
    pod = pod_spec(deployment)
    assert pod["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert pod["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]


def test_gpu_pods_never_wait_for_one_gpu_more_during_a_rollout():
    strategy = render("overlays/gpu").one_of("Deployment")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_gpu_flags_differ_in_batching_and_threads_only():
    cpu, gpu = (
        container_of(render(name).one_of("Deployment"))["args"] for name in ("base", "overlays/gpu")
    )
    changed = [new for old, new in zip(cpu, gpu, strict=True) if old != new]
    assert changed == [
        "--batching_parameters_file=/config/batching-gpu.config",
        "--rest_api_num_threads=512",
        "--grpc_max_threads=512",
        "--tensorflow_session_parallelism=4",
    ]


def test_no_pod_asks_for_a_gpu_elsewhere():
    for name in ("base", "overlays/canary", "overlays/bucket", "overlays/own-model"):
        for deployment in render(name).deployments:
            assert "nvidia.com/gpu" not in str(deployment)


def test_own_model_leaves_no_trace_of_the_digits():
    manifests = render("overlays/own-model")
    assert "digits" not in str(
        [each for each in manifests.resources if each["kind"] != "ConfigMap"]
    )
    [deployment] = manifests.deployments
    assert "digits" not in config_of(manifests, deployment)["models.config"]
    assert manifests.names_of("Namespace") == {"vision"}
    for resource in manifests.resources:
        if resource["kind"] != "Namespace":
            assert resource["metadata"]["name"].startswith("faces-")


def test_own_model_changes_names_and_model_only():
    own = container_of(render("overlays/own-model").one_of("Deployment"))
    base = copy.deepcopy(container_of(render("base").one_of("Deployment")))
    for probe in ("startupProbe", "readinessProbe"):
        base[probe]["httpGet"]["path"] = "/v1/models/faces/metadata"
    assert own == base


def test_loader_of_an_own_model_writes_to_that_models_volume(tmp_path):
    names = {"namespace": "vision", "namePrefix": "faces-"}
    loader = render_new(tmp_path, resources=["loader"], **names)
    own = render("overlays/own-model")
    [volume] = loader.one_of("Pod")["spec"]["volumes"]
    assert (
        volume["persistentVolumeClaim"]
        == (volume_of(own.one_of("Deployment"), "models")["persistentVolumeClaim"])
    )
    assert loader.one_of("PersistentVolumeClaim") == own.one_of("PersistentVolumeClaim")


def test_bucket_takes_the_volumes_place_for_every_container():
    manifests = render("overlays/bucket")
    assert not manifests.all_of("PersistentVolumeClaim")
    deployment = manifests.one_of("Deployment")
    assert volume_of(deployment, "models") == {"name": "models", "emptyDir": {"sizeLimit": "5Gi"}}
    [fetch] = pod_spec(deployment)["initContainers"]
    follow = container_of(deployment, "follow")
    assert fetch["command"] == ["sh", "/sync/fetch_versions.sh", "once"]
    assert follow == fetch | {
        "name": "follow",
        "command": ["sh", "/sync/fetch_versions.sh", "follow"],
    }
    serving = {mount["name"]: mount for mount in container_of(deployment)["volumeMounts"]}
    writing = {mount["name"]: mount for mount in fetch["volumeMounts"]}
    assert serving["models"]["mountPath"] == writing["models"]["mountPath"]
    assert "readOnly" not in writing["models"]


def test_bucket_leaves_the_server_as_it_is():
    bucket = container_of(render("overlays/bucket").one_of("Deployment"))
    assert bucket == container_of(render("base").one_of("Deployment"))


def test_gpu_pods_can_take_models_from_a_bucket(tmp_path):
    source = {"name": "darkroom-bucket-source", "literals": ["SOURCE=bucket:name/models"]}
    manifests = render_new(
        tmp_path,
        namespace="darkroom",
        resources=["overlays/gpu"],
        components=["components/bucket"],
        configMapGenerator=[source],
    )
    deployment = manifests.one_of("Deployment")
    assert container_of(deployment) == container_of(render("overlays/gpu").one_of("Deployment"))
    assert container_of(deployment, "follow")


@pytest.mark.parametrize("overlay", ["base", "overlays/gpu", "overlays/own-model"])
def test_requests_can_take_the_place_of_cpu_use_for_scaling(tmp_path, overlay):
    manifests = render_new(
        tmp_path, resources=[overlay], components=["components/request-autoscaling"]
    )
    [metric] = manifests.one_of("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == "tensorflow_serving_requests_per_second"


def test_changed_configuration_rolls_the_pods(tmp_path):
    copied = tmp_path / "deploy"
    shutil.copytree(DEPLOY, copied)
    config = copied / "config" / "batching.config"
    config.write_text(config.read_text().replace("value: 8 }", "value: 9 }"))
    changed = render_folder(copied / "kubernetes" / "base").one_of("Deployment")
    before = render("base").one_of("Deployment")
    assert volume_of(changed, "config") != volume_of(before, "config")
    volume_of(changed, "config")["configMap"] = volume_of(before, "config")["configMap"]
    assert changed == before


def test_gpu_overlay_refuses_a_base_whose_flags_have_moved(tmp_path):
    copied = tmp_path / "deploy"
    shutil.copytree(DEPLOY, copied)
    deployment = copied / "kubernetes" / "server" / "deployment.yaml"
    deployment.write_text(deployment.read_text().replace("            - --port=8500\n", ""))
    with pytest.raises(AssertionError, match="testing value"):
        render_folder(copied / "kubernetes" / "overlays" / "gpu")


def test_compose_and_kubernetes_start_the_server_with_the_same_flags():
    for profile, name, overlay in (
        ("cpu", "serving", "base"),
        ("gpu", "serving-gpu", "overlays/gpu"),
    ):
        service = render_compose(profile)["services"][name]
        container = container_of(render(overlay).one_of("Deployment"))
        assert service["command"] == container["args"]
        assert service["image"] == container["image"]
        assert service["entrypoint"] == container["command"]
        threads = value_of(service["command"], "tensorflow_session_parallelism")
        assert str(service["deploy"]["resources"]["limits"]["cpus"]) == threads
