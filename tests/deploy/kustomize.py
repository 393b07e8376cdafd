"""As much of kustomize as deploy/kubernetes uses, so that it is rendered where kubectl is not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
_KNOWN = {
    "apiVersion",
    "kind",
    "namespace",
    "resources",
    "images",
    "configMapGenerator",
    "patches",
}
_WITHOUT_NAMESPACE = {"Namespace", "ClusterRole", "ClusterRoleBinding"}


def render(folder: Path) -> list[Manifest]:
    """The manifests of a kustomization. Raises `ValueError` for what this does not know."""
    wanted = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if unknown := set(wanted) - _KNOWN:
        raise ValueError(f"{folder}: {sorted(unknown)}")
    made: list[Manifest] = []
    for name in wanted.get("resources", []):
        place = folder / name
        made += render(place) if place.is_dir() else list(yaml.safe_load_all(place.read_text()))
    for generator in wanted.get("configMapGenerator", []):
        assert generator["options"] == {"disableNameSuffixHash": True}
        data = {name: (folder / name).read_text() for name in generator["files"]}
        made.append(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": generator["name"]},
                "data": data,
            }
        )
    made = copy.deepcopy(made)
    for patch in wanted.get("patches", []):
        (target,) = [
            one
            for one in made
            if one["kind"] == patch["target"]["kind"]
            and one["metadata"]["name"] == patch["target"]["name"]
        ]
        for operation in yaml.safe_load(patch["patch"]):
            _apply(target, operation)
    for image in wanted.get("images", []):
        for container in containers(made):
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"
    if namespace := wanted.get("namespace"):
        for one in made:
            if one["kind"] not in _WITHOUT_NAMESPACE:
                one["metadata"]["namespace"] = namespace
    return made


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The pod templates of workloads, by the name of the workload."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]
        for one in manifests
        if one["kind"] in {"Deployment", "Job", "StatefulSet"}
    }


def containers(manifests: list[Manifest]) -> list[Manifest]:
    """Every container of the workloads."""
    return [each for pod in pods(manifests).values() for each in pod["spec"]["containers"]]


def _apply(target: Manifest, operation: Manifest) -> None:
    *path, last = operation["path"].lstrip("/").split("/")
    at: Any = target
    for step in path:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if operation["op"] == "add" and isinstance(at, list) and last == "-":
        at.append(operation["value"])
    elif operation["op"] == "replace" and last in at:
        at[last] = operation["value"]
    else:
        raise ValueError(f"{operation}")
