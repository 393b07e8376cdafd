"""deploy/kubernetes, rendered: valid for Kubernetes, safe by default, of settings there are."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from prefect.client.orchestration import PrefectClient
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from convex import __version__
from flows.setup.pool import QUEUES
from tests.deploy.kustomize import Manifest, containers, pods, render
from tests.deploy.variables import unknown_variables

_FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
_VERSIONS = ("1.30", "1.37")
OVERLAYS = ("processes", "jobs")


@pytest.fixture(params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return render(_FOLDER / str(request.param))


@pytest.mark.parametrize("version", _VERSIONS)
def test_every_manifest_is_valid(manifests: list[Manifest], version: str) -> None:
    examples = yaml.safe_load_all((_FOLDER / "secrets.example.yaml").read_text())
    for manifest in [*manifests, *examples]:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_renders_the_same(overlay: str) -> None:
    command = ["kubectl", "kustomize", str(_FOLDER / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    theirs = list(yaml.safe_load_all(done.stdout))

    def key(one: Manifest) -> tuple[str, str]:
        return one["kind"], one["metadata"]["name"]

    assert sorted(theirs, key=key) == sorted(render(_FOLDER / overlay), key=key)


def test_names_that_are_referred_to_exist(manifests: list[Manifest]) -> None:
    named = {(one["kind"], one["metadata"]["name"]) for one in manifests}
    given = {("Secret", "convex-secrets"), ("Secret", "convex-admin")}  # made by whoever installs
    for pod in pods(manifests).values():
        spec = pod["spec"]
        wanted = {("ServiceAccount", spec["serviceAccountName"])}
        for volume in spec["volumes"]:
            if "configMap" in volume:
                wanted.add(("ConfigMap", volume["configMap"]["name"]))
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                wanted.add(("PersistentVolumeClaim", claim))
        for container in spec["containers"]:
            for source in container["envFrom"]:
                kind = "ConfigMap" if "configMapRef" in source else "Secret"
                wanted.add((kind, next(iter(source.values()))["name"]))
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= {volume["name"] for volume in spec["volumes"]}
        assert wanted <= named | given
    labels = [pod["metadata"]["labels"] for pod in pods(manifests).values()]
    for one in manifests:
        selector = one.get("spec", {}).get("selector", {})
        chosen = selector.get("matchLabels", selector if one["kind"] == "Service" else {})
        if chosen:
            assert any(chosen.items() <= each.items() for each in labels), one["metadata"]["name"]


def test_pods_run_without_rights(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests).items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        # The worker that makes jobs speaks to Kubernetes, and nothing else does.
        assert spec["automountServiceAccountToken"] is (name == "convex-worker")
    for container in containers(manifests):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert container["image"].endswith(f":{__version__}")


def test_the_api_is_probed_disrupted_and_scaled_with_care(manifests: list[Manifest]) -> None:
    (api,) = pods(manifests)["convex-api"]["spec"]["containers"]
    assert api["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert api["readinessProbe"]["httpGet"]["path"] == "/readyz"
    kinds = {(one["kind"], one["metadata"]["name"]): one for one in manifests}
    least = kinds["HorizontalPodAutoscaler", "convex-api"]["spec"]["minReplicas"]
    assert kinds["PodDisruptionBudget", "convex-api"]["spec"]["minAvailable"] < least
    assert "replicas" not in kinds["Deployment", "convex-api"]["spec"]
    assert kinds["NetworkPolicy", "convex-closed"]["spec"].get("ingress") is None


def test_only_the_migration_knows_the_administrator(manifests: list[Manifest]) -> None:
    knowing = [name for name, pod in pods(manifests).items() if "convex-admin" in json.dumps(pod)]
    assert knowing == ["convex-migrate"]


def test_every_variable_is_a_setting(manifests: list[Manifest]) -> None:
    text = json.dumps(manifests) + (_FOLDER / "secrets.example.yaml").read_text()
    assert unknown_variables(text) == set()


def test_every_part_is_one_that_convex_serves(manifests: list[Manifest]) -> None:
    served = set()
    for container in containers(manifests):
        command = [sys.executable, "-m", "convex.cli", *container["args"], "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (container["args"], done.stderr)
        arguments = container["args"]
        served |= {arguments[at + 1] for at, each in enumerate(arguments) if each == "--queue"} or (
            {queue.name for queue in QUEUES[:4]} if "worker" in arguments else set()
        )
    assert served == {queue.name for queue in QUEUES if queue.name != "default"}


async def test_a_run_becomes_a_job_that_kubernetes_takes() -> None:
    template = json.loads((_FOLDER / "jobs" / "base-job-template.json").read_text())
    values = {"name": "run", "env": {"PREFECT_API_URL": "http://convex-prefect:4200/api"}}
    # Nothing in the template is asked of a server.
    async with PrefectClient("http://127.0.0.1:9/api") as client:
        made = await KubernetesWorkerJobConfiguration.from_template_and_values(
            template, values, client=client
        )
    job: dict[str, Any] = made.job_manifest
    pod = job["spec"]["template"]["spec"]
    # Prefect wants them in this place, where Kubernetes does not know them.
    assert (pod.pop("parallelism"), pod.pop("completions")) == (1, 1)
    (container,) = pod["containers"]
    container["args"] = shlex.split(made.command or "")
    container["env"] = [{"name": name, "value": value} for name, value in dict(made.env).items()]
    kubernetes_validate.validate(job, _VERSIONS[-1], strict=True)
    assert container["command"] + container["args"] == [
        "tini",
        "--",
        "python",
        "-m",
        "flows.engine",
    ]
    like = render(_FOLDER / "jobs")
    (setup,) = pods(like)["convex-setup"]["spec"]["containers"]
    assert container["image"] == setup["image"]
    assert container["securityContext"] == setup["securityContext"]
    assert container["envFrom"] == setup["envFrom"]
    assert job["metadata"]["namespace"] == "convex"
