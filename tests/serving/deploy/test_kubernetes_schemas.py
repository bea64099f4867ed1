"""Every rendered resource against Kubernetes' own schemas, the oldest that works and the newest."""

import kubernetes_validate
import pytest

from darkroom.tests.serving.deploy.rendering import SERVER_OVERLAYS, render

OLDEST = "1.27"
VERSIONS = (OLDEST, kubernetes_validate.latest_version())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [*SERVER_OVERLAYS, "loader", "storage"])
def test_resources_are_valid(name, version):
    resources = render(name).resources
    assert resources
    for resource in resources:
        validated = kubernetes_validate.validate(resource, version, strict=True)
        assert version.startswith(validated)


def test_wrong_resource_would_be_refused():
    deployment = dict(render("base").deployments[0])
    deployment["spec"] = deployment["spec"] | {"replica": 1}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(deployment, OLDEST, strict=True)
