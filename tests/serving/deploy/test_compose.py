"""The compose file, as docker-compose itself reads it: it refuses what its schema does not have."""

import re
import subprocess

import pytest

from darkroom.tests.serving.deploy.flags import files_named_by, parse_batching, read_flags, value_of
from darkroom.tests.serving.deploy.rendering import COMPOSE_FILE, DEPLOY, find_tool, render_compose

SERVICES = {"cpu": "serving", "gpu": "serving-gpu"}


@pytest.fixture(params=SERVICES)
def profile(request):
    return request.param


@pytest.fixture
def service(profile):
    return render_compose(profile)["services"][SERVICES[profile]]


def test_each_profile_starts_one_server(profile):
    assert list(render_compose(profile)["services"]) == [SERVICES[profile]]


def test_typo_in_the_file_would_be_refused(tmp_path):
    broken = tmp_path / "compose.yaml"
    broken.write_text(COMPOSE_FILE.read_text().replace("read_only: true", "readonly: true"))
    command = [*find_tool("docker-compose"), "-f", str(broken), "--profile", "cpu", "config", "-q"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0
    assert "readonly" in refused.stderr


def test_image_is_pinned_by_version(profile, service):
    suffix = "-gpu" if profile == "gpu" else ""
    assert re.fullmatch(rf"tensorflow/serving:\d+\.\d+\.\d+{suffix}", service["image"])


def test_flags_are_tensorflow_servings_and_name_files_that_are_mounted(service):
    config = read_flags(service["command"])
    [mount] = [mount for mount in service["volumes"] if mount["target"] == "/config"]
    assert mount["source"] == str(DEPLOY / "config")
    assert len(files_named_by(config)) == 3
    for path in files_named_by(config):
        assert str(path.parent) == "/config"
        assert (DEPLOY / "config" / path.name).is_file()


def test_server_is_called_without_the_images_shell_script(service):
    assert service["entrypoint"] == ["/usr/bin/tensorflow_model_server"]


def test_ports_are_the_flags_and_only_this_machine_reaches_them(service):
    config = read_flags(service["command"])
    assert {port["target"] for port in service["ports"]} == {config.rest_port, config.grpc_port}
    assert {port["host_ip"] for port in service["ports"]} == {"127.0.0.1"}


def test_mounts_are_read_only_and_must_exist(service):
    assert {mount["target"] for mount in service["volumes"]} == {"/models", "/config"}
    for mount in service["volumes"]:
        assert mount["read_only"]
        assert not mount["bind"].get("create_host_path")


def test_models_are_the_repositorys_unless_said_otherwise(profile, service, tmp_path):
    def source(service):
        [mount] = [mount for mount in service["volumes"] if mount["target"] == "/models"]
        return mount["source"]

    assert source(service) == str(DEPLOY.parents[1] / "models")
    elsewhere = render_compose(profile, DARKROOM_MODELS=str(tmp_path))
    assert source(elsewhere["services"][SERVICES[profile]]) == str(tmp_path)


def test_container_has_no_more_rights_than_it_needs(service):
    user = int(service["user"].partition(":")[0])
    assert user > 0
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]


def test_container_cannot_take_the_machine_and_its_log_cannot_fill_the_disk(service):
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}


def test_threads_are_as_many_as_the_cpu_limit(service):
    cpus = int(service["deploy"]["resources"]["limits"]["cpus"])
    flags = service["command"]
    name = value_of(flags, "batching_parameters_file").removeprefix("/config/")
    assert int(value_of(flags, "tensorflow_session_parallelism")) == cpus
    assert parse_batching((DEPLOY / "config" / name).read_text()).num_batch_threads.value == cpus


def test_sigterm_reaches_a_server_that_does_not_handle_it(service):
    assert service["init"] is True
    assert service["stop_grace_period"] == "10s"
    assert service["restart"] == "unless-stopped"


def test_gpu_is_reserved_by_the_gpu_profile_only():
    cpu = render_compose("cpu")["services"]["serving"]
    gpu = render_compose("gpu")["services"]["serving-gpu"]
    assert "reservations" not in cpu["deploy"]["resources"]
    [device] = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])


def test_profiles_differ_only_in_what_a_gpu_needs():
    cpu = render_compose("cpu")["services"]["serving"]
    gpu = render_compose("gpu")["services"]["serving-gpu"]
    different = {key for key in cpu | gpu if cpu.get(key) != gpu.get(key)}
    assert different == {"profiles", "image", "command", "environment", "tmpfs", "deploy"}
    flags = {flag.partition("=")[0] for flag in set(cpu["command"]) ^ set(gpu["command"])}
    assert flags == {
        "--batching_parameters_file",
        "--grpc_max_threads",
        "--rest_api_num_threads",
        "--tensorflow_session_parallelism",
    }
