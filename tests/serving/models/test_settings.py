"""What a configuration says of each model, and what is refused in one."""

from pathlib import Path

import pytest

from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.models.settings import copy_config, create_config, read_settings
from darkroom.serving.model_server.models.versions import VersionPolicy
from darkroom.serving.protos.text_files import parse_text


def config_of(text):
    return parse_text(text, "ModelServerConfig", "a test")


def model(body):
    return config_of(f"model_config_list {{ config {{ {body} }} }}")


GOOD = 'name: "a" base_path: "/m/a" model_platform: "tensorflow" '


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("", VersionPolicy(1)),
        ("model_version_policy { latest {} }", VersionPolicy(1)),
        ("model_version_policy { latest { num_versions: 3 } }", VersionPolicy(3)),
        ("model_version_policy { all {} }", VersionPolicy(None)),
        (
            "model_version_policy { specific { versions: 4 versions: 2 } }",
            VersionPolicy(None, frozenset({2, 4})),
        ),
        ("model_version_policy { specific {} }", VersionPolicy(None, frozenset())),
    ],
)
def test_version_policies(policy, versions):
    assert read_settings(model(GOOD + policy))["a"].versions == versions


def test_models_keep_their_order_labels_and_logging():
    settings = read_settings(
        config_of(
            """
            model_config_list {
              config {
                name: "b" base_path: "file:///m/b" model_type: TENSORFLOW
                version_labels { key: "stable" value: 3 }
                version_labels { key: "canary" value: 4 }
                logging_config {
                  log_collector_config { filename_prefix: "/logs/b" }
                  sampling_config { sampling_rate: 0.5 }
                }
              }
              config { name: "a" base_path: "/m/a" model_platform: "tensorflow" }
            }
            """
        )
    )
    assert list(settings) == ["b", "a"]
    assert settings["b"].base_path == Path("/m/b")
    assert settings["b"].labels == {"stable": 3, "canary": 4}
    assert settings["b"].logging_config.sampling_config.sampling_rate == 0.5
    assert settings["a"].labels == {} and settings["a"].logging_config is None


def test_one_model_of_flags_is_a_configuration(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (settings,) = read_settings(create_config("a", Path("models/a"))).values()
    assert settings.base_path == tmp_path / "models" / "a"
    assert (settings.name, settings.versions) == ("a", VersionPolicy(1))


def test_copies_are_equal_whatever_the_order_of_labels():
    labels = ['version_labels { key: "x" value: 1 }', 'version_labels { key: "y" value: 2 }']
    one, other = (model(GOOD + " ".join(order)) for order in (labels, reversed(labels)))
    assert copy_config(one) == copy_config(other) == one


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('base_path: "/m" model_platform: "tensorflow"', "a model has no name"),
        (GOOD.replace('"a"', '"a/b"'), "model name 'a/b' has '/' or ':'"),
        (GOOD.replace("/m/a", "m/a"), "Expected model a to have an absolute path or URI; got base"),
        (GOOD.replace("/m/a", ""), r"got base_path\(\)=$"),
        (GOOD.replace("/m/a", "gs://bucket/m"), "local folders only; got base_path..=gs://bucket"),
        (GOOD.replace("/m/a", "file://host/m"), "local folders only"),
        (GOOD.replace('"tensorflow"', '""'), "neither ModelServerConfig::model_type .* name is a"),
        (GOOD.replace('"tensorflow"', '"torch"'), "Model a requests unsupported platform torch"),
        (GOOD + "model_type: TENSORFLOW", "Illegal setting both ModelServerConfig::model_type"),
        ('name: "a" base_path: "/m" model_type: OTHER', "model_type choice 2 not supported"),
        (GOOD + f"}} config {{ {GOOD}", "Illegal to list model a multiple times in config list"),
    ],
)
def test_refused_configurations(body, message):
    with pytest.raises(InvalidArgument, match=message):
        read_settings(model(body))


def test_platform_of_a_served_model_cannot_change():
    other = model(GOOD.replace('"tensorflow"', '"torch"'))
    with pytest.raises(InvalidArgument, match=r"platform was tensorflow and new .* torch"):
        read_settings(other, served={"a"})
