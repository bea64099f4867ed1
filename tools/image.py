"""Build and test the container image: `python3 -m tools.image build`, from the repository's root.

Where the base image can be pulled it is; where no registry is reachable, a Debian 13 is made with
mmdebstrap instead, once. The host's certificates and package-index settings reach the build as
secrets, which leave no trace in the image.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .engine import Engine, EngineError, NoEngineError, answer, find_engine

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "kubeflow" / "Dockerfile"
ENGINE_LOG = ROOT / "build" / "dockerd.log"
LOCAL_BASE = "darkroom-base:trixie"
"""Our own Debian 13, where the Dockerfile's base cannot be pulled."""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SECRETS = "/run/secrets"
"""Where the build finds them."""
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
SETTINGS = re.compile(r"(PIP|UV)_(.*INDEX.*|TRUSTED_HOST|INSECURE_HOST|.*TIMEOUT)")
"""Environment variables of pip and uv that say where packages come from."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
EXIT_FAILED = 1
EXIT_NO_ENGINE = 2


def build(engine: Engine, image: str, target: str, base: str, variant: str = "") -> None:
    """Build one target of the Dockerfile.

    Args:
        image: Its name and tag; a second tag says the revision.
        target: Stage of the Dockerfile.
        variant: Empty, or "gpu".

    Raises:
        EngineError: The build failed.
    """
    revision = describe_revision(ROOT)
    tags = [image, revision_tag(image, revision, variant)] if target == "runtime" else [image]
    with tempfile.TemporaryDirectory() as folder:
        command = ["build", "--network", "host", "--file", str(DOCKERFILE), "--target", target]
        for name, value in (
            ("BASE_IMAGE", base),
            ("VARIANT", variant),
            ("VERSION", project_version()),
            ("REVISION", revision),
        ):
            command += ["--build-arg", f"{name}={value}"]
        command += [
            word for name in PROXIES if os.environ.get(name) for word in ("--build-arg", name)
        ]
        command += write_secrets(os.environ, Path.home(), Path(folder))
        command += [word for tag in tags for word in ("--tag", tag)]
        status = engine.run(*command, str(ROOT))
    if status:
        raise EngineError(f"Building {image} ended with status {status}; its words are above.")


def run_tests(engine: Engine, image: str) -> None:
    """Run the tests that start no pipeline, in an image of the target `test`, else EngineError."""
    variables = ["--env", "TF_CPP_MIN_LOG_LEVEL=2"]
    # A name that is known without a network: Beam's workers call back by it.
    alone = ["--network", "none", "--hostname", "localhost"]
    status = engine.run("run", "--rm", "--init", *alone, *variables, image)
    if status:
        raise EngineError(f"The tests in {image} ended with status {status}.")


def choose_base(engine: Engine, asked: str) -> str:
    """The base image to build on, made where it has to be.

    Args:
        asked: What the user asks for; empty for the Dockerfile's default.

    Raises:
        EngineError: It can neither be pulled nor made.
    """
    if asked:
        return asked
    default = default_base()
    for image in (default, LOCAL_BASE):
        if engine.has(image):
            return image
    print(f"Pulling {default}.", flush=True)
    if engine.ask("pull", "--quiet", default) is not None:
        return default
    print(f"It cannot be pulled: making {LOCAL_BASE} with mmdebstrap instead.", flush=True)
    make_base(engine, default)
    return LOCAL_BASE


def make_base(engine: Engine, instead_of: str) -> None:
    """Make a Debian 13 with Python 3.13 and import it under a local name.

    Raises:
        EngineError: mmdebstrap or Debian's keys are missing, or a step failed.
    """
    mmdebstrap = shutil.which("mmdebstrap")
    if mmdebstrap is None or not Path(KEYRING).exists():
        raise EngineError(
            f"{instead_of} cannot be pulled, and a base cannot be made here: apt-get install "
            "mmdebstrap debian-archive-keyring, or give BASE_IMAGE."
        )
    command = [mmdebstrap, "--quiet", "--variant=minbase", f"--keyring={KEYRING}"]
    command += ["--include=ca-certificates,python3,python3-venv", "trixie"]
    with tempfile.TemporaryDirectory() as folder:
        archive = str(Path(folder) / "trixie.tar")
        if answer([*command, archive]) is None:
            raise EngineError(f"`{shlex.join(command)} FILE` failed; run it to see why.")
        if engine.ask("import", "--change", 'CMD ["python3"]', archive, LOCAL_BASE) is None:
            raise EngineError(f"`docker import` of {LOCAL_BASE} failed: is the disk full?")


def default_base() -> str:
    """The base image that the Dockerfile names."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    if found is None:
        raise EngineError(f"{DOCKERFILE} has no line ARG BASE_IMAGE=….")
    return found.group(1)


def write_secrets(environ: Mapping[str, str], home: Path, folder: Path) -> list[str]:
    """The build's secrets as words for the command line.

    `environment` is read by the Dockerfile's shells; the other secrets are files that it points to.

    Args:
        folder: Where to write what is no file yet; it must outlive the build.
    """
    settings = {name: value for name, value in environ.items() if SETTINGS.fullmatch(name)}
    files = dict(find_files(environ, home))
    for secret, names in (
        ("certificates", ("SSL_CERT_FILE", "PIP_CERT")),
        ("pip.conf", ("PIP_CONFIG_FILE",)),
        ("uv.toml", ("UV_CONFIG_FILE",)),
    ):
        if secret in files:
            settings.update(dict.fromkeys(names, f"{SECRETS}/{secret}"))
    files["environment"] = folder / "environment"
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in sorted(settings.items())]
    files["environment"].write_text("".join(lines))
    return [
        word for secret, path in files.items() for word in ("--secret", f"id={secret},src={path}")
    ]


def find_files(environ: Mapping[str, str], home: Path) -> Iterator[tuple[str, Path]]:
    """The host's certificates, and pip's and uv's configuration: those that exist, by secret."""
    for secret, variable, places in (
        ("certificates", "SSL_CERT_FILE", [Path(bundle) for bundle in BUNDLES]),
        ("pip.conf", "PIP_CONFIG_FILE", [home / ".config/pip/pip.conf", Path("/etc/pip.conf")]),
        ("uv.toml", "UV_CONFIG_FILE", [home / ".config/uv/uv.toml", Path("/etc/uv/uv.toml")]),
    ):
        if environ.get(variable):
            places = [Path(environ[variable]), *places]
        for place in places:
            if place.is_file():
                yield secret, place
                break


def describe_revision(root: Path) -> str:
    """The commit, with -dirty where files differ from it; the project's version without git."""
    git = ["git", "-C", str(root), "describe", "--always", "--dirty", "--tags"]
    return answer(git) or project_version()


def project_version() -> str:
    """The version that pyproject.toml says."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    if found is None:
        raise EngineError("pyproject.toml has no line version = ….")
    return found.group(1)


def revision_tag(image: str, revision: str, variant: str = "") -> str:
    """An image's name with the revision as its tag.

    Returns:
        "registry:5000/darkroom:1a2b3c4-gpu" for "registry:5000/darkroom:latest".
    """
    folder, slash, last = image.rpartition("/")
    words = [re.sub(r"[^A-Za-z0-9_.-]", "-", revision), variant]
    return f"{folder}{slash}{last.split(':')[0]}:{'-'.join(word for word in words if word)}"


def tag_for_tests(image: str) -> str:
    """Name of the image that has the tests: "darkroom:latest-test" for "darkroom"."""
    return f"{image}-test" if ":" in image.rpartition("/")[2] else f"{image}:latest-test"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = parse(arguments)
    started = time.monotonic()
    try:
        engine = find_engine(os.environ, ENGINE_LOG)
        base = choose_base(engine, options.base)
        build(engine, options.image, "runtime", base, options.variant)
        if options.verb == "test":
            build(engine, tag_for_tests(options.image), "test", base, options.variant)
            run_tests(engine, tag_for_tests(options.image))
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_NO_ENGINE if isinstance(error, NoEngineError) else EXIT_FAILED
    seconds = time.monotonic() - started
    size = int(engine.ask("image", "inspect", "--format", "{{.Size}}", options.image) or 0)
    done = "tested" if options.verb == "test" else "built"
    print(f"{options.image} is {done}, on {base}: {size / 1e9:.2f} GB, {seconds:.0f} s")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Builds and tests the container image.")
    parser.add_argument("verb", choices=["build", "test"])
    parser.add_argument("--image", default="darkroom:latest", help="name and tag")
    parser.add_argument("--base", default="", help="base image (else the Dockerfile's)")
    parser.add_argument("--variant", default="", choices=["", "gpu"], help="gpu: with CUDA")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
