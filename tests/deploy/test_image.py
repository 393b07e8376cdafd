"""The recipe of the image, and what compose makes of it, as far as no engine is needed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.variables import unknown_variables

_ROOT = Path(__file__).parents[2]
_DOCKERFILE = _ROOT / "deploy" / "Dockerfile"
_COMPOSE = _ROOT / "deploy" / "compose"
_BIN = Path(sys.executable).parent


def instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n\s*", " ", _DOCKERFILE.read_text())
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((_COMPOSE / "compose.yaml").read_text())
    return read


def test_hadolint_has_nothing_to_say() -> None:
    command = [str(_BIN / "hadolint"), str(_DOCKERFILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_last_stage_is_unprivileged_and_says_whether_it_lives() -> None:
    read = instructions()
    last = max(at for at, (name, _) in enumerate(read) if name == "FROM")
    stage = dict(read[last:])
    assert sum(name == "FROM" for name, _ in read) == 2
    assert stage["USER"] == "10001:10001"
    assert "/livez" in stage["HEALTHCHECK"]
    assert json.loads(stage["ENTRYPOINT"]) == ["tini", "--", "convex"]
    assert not any(name in {"ADD", "MAINTAINER"} for name, _ in read)


def test_what_is_copied_exists_and_passes_the_ignore_file() -> None:
    ignored = (_ROOT / ".dockerignore").read_text().splitlines()
    for name, rest in instructions():
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (_ROOT / source).exists(), source
                assert f"!{source.removeprefix('./')}" in ignored


def test_the_image_has_every_folder_that_is_imported_or_read() -> None:
    copied = {
        source
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert {"api", "convex", "flows", "dbt", "migrations", "prefect.yaml"} <= copied


def test_compose_is_valid() -> None:
    command = [str(_BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*command, str(_COMPOSE / "compose.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_compose_waits_for_what_is_there_and_can_be_healthy() -> None:
    services = compose()["services"]
    image_is_checked = any(name == "HEALTHCHECK" for name, _ in instructions())
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            waited = services[other]
            if how["condition"] == "service_healthy":
                own = waited.get("healthcheck", {})
                checked = "test" in own or (image_is_checked and not own)
                assert checked, (name, other)
            else:
                assert waited["restart"] == "on-failure"  # it ends, and then it has ended
    for service in services.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (_COMPOSE / source).exists()
            else:
                assert source in compose()["volumes"]


def test_compose_runs_two_replicas_of_the_api_and_nothing_as_root() -> None:
    services = compose()["services"]
    assert services["api"]["deploy"]["replicas"] == 2
    assert "ports" not in services["api"]  # two cannot share one
    ours = {name: one for name, one in services.items() if "CONVEX_IMAGE" in one["image"]}
    assert set(ours) == {
        "migrate",
        "prefect",
        "setup",
        "worker-notifications",
        "worker-others",
        "api",
    }
    for service in ours.values():
        assert service["user"] == "10001:10001"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    admins = [name for name, one in ours.items() if "POSTGRES_PASSWORD" in str(one)]
    assert admins == ["migrate"]


def test_make_env_gives_every_secret_that_compose_wants() -> None:
    done = subprocess.run(
        ["sh", str(_COMPOSE / "make-env.sh")], capture_output=True, text=True, check=True
    )
    given = dict(line.split("=", 1) for line in done.stdout.splitlines())
    text = (_COMPOSE / "compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+):\?", text)) == set(given)
    assert len(set(given.values())) == len(given)
    assert all(len(value) >= 32 for value in given.values())
    from cryptography.fernet import Fernet

    Fernet(given["CONVEX_SECRETS__ENCRYPTION_KEY"])


def test_every_variable_is_a_setting() -> None:
    text = _DOCKERFILE.read_text() + (_COMPOSE / "compose.yaml").read_text()
    assert unknown_variables(text) == set()
