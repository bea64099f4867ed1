"""What a pod may do, how much it takes, and how it comes and goes."""

import re
from decimal import Decimal

import pytest

from darkroom.tests.serving.deploy.flags import parse_batching, read_flags, value_of
from darkroom.tests.serving.deploy.rendering import (
    SERVER_OVERLAYS,
    config_of,
    container_of,
    pod_spec,
    render,
)

UNITS = {"": 1, "m": Decimal("0.001"), "Mi": 2**20, "Gi": 2**30}


@pytest.fixture(params=SERVER_OVERLAYS)
def manifests(request):
    return render(request.param)


@pytest.fixture
def pods(manifests):
    return [pod_spec(deployment) for deployment in manifests.deployments]


def containers_of(pod):
    return [*pod.get("initContainers", ()), *pod["containers"]]


def to_number(quantity):
    number, unit = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", quantity).groups()
    return Decimal(number) * UNITS[unit]


@pytest.mark.parametrize("name", [*SERVER_OVERLAYS, "loader"])
def test_pods_meet_the_restricted_standard_that_the_namespace_enforces(name):
    manifests = render(name)
    labels = manifests.one_of("Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = [pod_spec(deployment) for deployment in manifests.deployments]
    pods += [pod["spec"] for pod in manifests.all_of("Pod")]
    for pod in pods:
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in pod["volumes"]:
            assert set(volume) & {"configMap", "emptyDir", "persistentVolumeClaim"}
        for container in containers_of(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }


def test_pods_get_no_token_for_kubernetes(manifests, pods):
    assert manifests.one_of("ServiceAccount")["automountServiceAccountToken"] is False
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", [*SERVER_OVERLAYS, "loader"])
def test_images_are_pinned_by_version(name):
    manifests = render(name)
    pods = [pod_spec(deployment) for deployment in manifests.deployments]
    pods += [pod["spec"] for pod in manifests.all_of("Pod")]
    for container in (container for pod in pods for container in containers_of(pod)):
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+(-gpu)?", container["image"])


def test_requests_are_within_limits_and_memory_is_bounded(pods):
    for container in (container for pod in pods for container in containers_of(pod)):
        requests, limits = (container["resources"][key] for key in ("requests", "limits"))
        assert set(requests) == set(limits) >= {"cpu", "memory"}
        for resource in requests:
            assert 0 < to_number(requests[resource]) <= to_number(limits[resource])


def test_every_scratch_folder_is_bounded(pods):
    for volume in (volume for pod in pods for volume in pod["volumes"]):
        if "emptyDir" in volume:
            assert to_number(volume["emptyDir"]["sizeLimit"]) > 0


def test_threads_are_as_many_as_the_cpu_limit(manifests):
    for deployment in manifests.deployments:
        container = container_of(deployment)
        cpus = to_number(container["resources"]["limits"]["cpu"])
        batching = value_of(container["args"], "batching_parameters_file").rpartition("/")[2]
        parameters = parse_batching(config_of(manifests, deployment)[batching])
        assert int(value_of(container["args"], "tensorflow_session_parallelism")) == cpus
        assert parameters.num_batch_threads.value == cpus


def test_batches_can_be_filled_by_requests_that_each_hold_a_thread(manifests):
    for deployment in manifests.deployments:
        arguments = container_of(deployment)["args"]
        batching = value_of(arguments, "batching_parameters_file").rpartition("/")[2]
        parameters = parse_batching(config_of(manifests, deployment)[batching])
        for flag in ("rest_api_num_threads", "grpc_max_threads"):
            assert int(value_of(arguments, flag)) >= 2 * parameters.max_batch_size.value


def test_requests_have_time_to_end_before_the_server_is_killed(manifests):
    for deployment in manifests.deployments:
        container = container_of(deployment)
        command, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
        longest = read_flags(container["args"]).rest_api_timeout_in_ms / 1000
        assert command == "sleep"
        assert int(seconds) >= longest + 5
        assert pod_spec(deployment)["terminationGracePeriodSeconds"] > int(seconds)


def test_a_rollout_waits_for_the_slowest_start(manifests):
    for deployment in manifests.deployments:
        startup = container_of(deployment)["startupProbe"]
        longest = startup["periodSeconds"] * startup["failureThreshold"]
        assert longest >= 300
        assert deployment["spec"]["progressDeadlineSeconds"] > longest


def test_a_rollout_never_takes_the_last_pod(manifests):
    autoscaler = manifests.one_of("HorizontalPodAutoscaler")["spec"]
    for deployment in manifests.deployments:
        strategy = deployment["spec"]["strategy"]["rollingUpdate"]
        assert strategy["maxUnavailable"] < autoscaler["minReplicas"]
        assert strategy["maxSurge"] + strategy["maxUnavailable"] == 1


def test_a_broken_first_version_fails_within_the_startup_probes_time(manifests):
    for deployment in manifests.deployments:
        config = read_flags(container_of(deployment)["args"])
        startup = container_of(deployment)["startupProbe"]
        waiting = config.max_num_load_retries * config.load_retry_interval_seconds
        assert waiting < startup["periodSeconds"] * startup["failureThreshold"] / 2


def test_server_calls_nobody_but_a_bucket():
    assert render("base").one_of("NetworkPolicy")["spec"]["egress"] == []
    rules = render("overlays/bucket").one_of("NetworkPolicy")["spec"]["egress"]
    assert {port["port"] for rule in rules for port in rule["ports"]} == {53, 80, 443, 988}
    [local] = [rule for rule in rules if "to" in rule]
    assert local["to"] == [{"ipBlock": {"cidr": "169.254.0.0/16"}}]
    assert {port["port"] for port in local["ports"]} == {80, 988}
