"""What one resource says of another: names, labels, ports, keys."""

import itertools

import pytest

from darkroom.tests.serving.deploy.flags import (
    files_named_by,
    parse_models,
    parse_monitoring,
    read_flags,
)
from darkroom.tests.serving.deploy.rendering import (
    SERVER_OVERLAYS,
    config_of,
    container_of,
    pod_spec,
    render,
    volume_of,
)

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


@pytest.fixture(params=SERVER_OVERLAYS)
def manifests(request):
    return render(request.param)


def selects(selector, deployment):
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    return selector.items() <= labels.items()


def ports_of(container):
    return {port["name"]: port["containerPort"] for port in container["ports"]}


def test_all_resources_are_in_one_namespace_which_is_made(manifests):
    [namespace] = manifests.names_of("Namespace")
    for resource in manifests.resources:
        if resource["kind"] != "Namespace":
            assert resource["metadata"]["namespace"] == namespace


def test_no_two_resources_have_the_same_name(manifests):
    names = [(each["kind"], each["metadata"]["name"]) for each in manifests.resources]
    assert len(names) == len(set(names))


def test_deployments_select_their_own_pods_and_no_others(manifests):
    for deployment in manifests.deployments:
        selector = deployment["spec"]["selector"]["matchLabels"]
        selected = [each for each in manifests.deployments if selects(selector, each)]
        assert selected == [deployment]


def test_pods_spread_over_nodes_and_zones_counting_their_own_kind_only(manifests):
    for deployment in manifests.deployments:
        spread = pod_spec(deployment)["topologySpreadConstraints"]
        assert {each["topologyKey"] for each in spread} == {
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        }
        for constraint in spread:
            selector = constraint["labelSelector"]["matchLabels"]
            assert selector == deployment["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget", "NetworkPolicy"])
def test_selectors_find_pods(manifests, kind):
    for resource in manifests.all_of(kind):
        spec = resource["spec"]
        selector = {
            "Service": lambda spec: spec["selector"],
            "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
        }[kind](spec)
        assert any(selects(selector, deployment) for deployment in manifests.deployments)


def test_network_policy_covers_every_pod(manifests):
    policy = manifests.one_of("NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    for deployment in manifests.deployments:
        assert selects(policy["podSelector"]["matchLabels"], deployment)


def test_ports_are_those_of_the_flags(manifests):
    for deployment in manifests.deployments:
        container = container_of(deployment)
        config = read_flags(container["args"])
        assert ports_of(container) == {"grpc": config.grpc_port, "rest": config.rest_port}


def test_services_and_network_policy_name_ports_that_pods_have(manifests):
    names = set(ports_of(container_of(manifests.deployments[0])))
    for service in manifests.all_of("Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} == names
    [rule] = manifests.one_of("NetworkPolicy")["spec"]["ingress"]
    assert {port["port"] for port in rule["ports"]} == names


def test_probes_ask_ports_that_the_container_has(manifests):
    for deployment in manifests.deployments:
        container = container_of(deployment)
        for probe in PROBES[:2]:
            assert container[probe]["httpGet"]["port"] == "rest"
        assert container["livenessProbe"]["grpc"]["port"] == ports_of(container)["grpc"]
        assert read_flags(container["args"]).enable_grpc_healthcheck_service


def test_probes_ask_for_a_model_that_is_configured(manifests):
    for deployment in manifests.deployments:
        models = parse_models(config_of(manifests, deployment)["models.config"])
        paths = {f"/v1/models/{model.name}/metadata" for model in models}
        for probe in PROBES[:2]:
            assert container_of(deployment)[probe]["httpGet"]["path"] in paths


def test_models_are_below_the_mounted_volume(manifests):
    for deployment in manifests.deployments:
        [mount] = [
            mount for mount in container_of(deployment)["volumeMounts"] if mount["name"] == "models"
        ]
        assert mount["readOnly"]
        for model in parse_models(config_of(manifests, deployment)["models.config"]):
            assert model.base_path.startswith(f"{mount['mountPath']}/")


def test_flags_name_files_that_the_config_map_has(manifests):
    for deployment in manifests.deployments:
        container = container_of(deployment)
        [mount] = [each for each in container["volumeMounts"] if each["name"] == "config"]
        files = files_named_by(read_flags(container["args"]))
        assert len(files) == 3
        for path in files:
            assert str(path.parent) == mount["mountPath"]
            assert path.name in config_of(manifests, deployment)


def test_every_mount_has_a_volume(manifests):
    for deployment in manifests.deployments:
        spec = pod_spec(deployment)
        volumes = {volume["name"] for volume in spec["volumes"]}
        containers = [*spec.get("initContainers", ()), *spec["containers"]]
        mounts = [mount["name"] for each in containers for mount in each["volumeMounts"]]
        assert set(mounts) == volumes


def test_claims_config_maps_and_accounts_exist(manifests):
    for deployment in manifests.deployments:
        spec = pod_spec(deployment)
        assert spec["serviceAccountName"] in manifests.names_of("ServiceAccount")
        for volume in spec["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in manifests.names_of("ConfigMap")
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert claim in manifests.names_of("PersistentVolumeClaim")
        for container in itertools.chain(spec.get("initContainers", ()), spec["containers"]):
            for source in container.get("envFrom", ()):
                if "configMapRef" in source:
                    assert source["configMapRef"]["name"] in manifests.names_of("ConfigMap")
                else:
                    assert source["secretRef"]["optional"]


def test_autoscaler_owns_the_number_of_a_deployment_that_exists(manifests):
    autoscaler = manifests.one_of("HorizontalPodAutoscaler")["spec"]
    target = autoscaler["scaleTargetRef"]
    deployment = manifests.one_of(target["kind"], target["name"])
    assert deployment["apiVersion"] == target["apiVersion"]
    assert "replicas" not in deployment["spec"]
    assert 2 <= autoscaler["minReplicas"] <= autoscaler["maxReplicas"]
    [metric] = autoscaler["metrics"]
    for container in pod_spec(deployment)["containers"]:
        assert metric["resource"]["name"] in container["resources"]["requests"]


def test_prometheus_is_told_where_the_metrics_are(manifests):
    for deployment in manifests.deployments:
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        monitoring = parse_monitoring(config_of(manifests, deployment)["monitoring.config"])
        assert annotations["prometheus.io/scrape"] == "true"
        assert annotations["prometheus.io/path"] == monitoring.prometheus_config.path
        port = int(annotations["prometheus.io/port"])
        assert port == ports_of(container_of(deployment))["rest"]


def test_loader_writes_to_the_volume_that_the_servers_read():
    manifests = render("loader")
    [claim] = manifests.names_of("PersistentVolumeClaim")
    [volume] = manifests.one_of("Pod")["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim
    [mount] = manifests.one_of("Pod")["spec"]["containers"][0]["volumeMounts"]
    assert "readOnly" not in mount
    base = render("base")
    assert base.one_of("PersistentVolumeClaim") == manifests.one_of("PersistentVolumeClaim")
    served = volume_of(base.deployments[0], "models")["persistentVolumeClaim"]["claimName"]
    assert served == claim
