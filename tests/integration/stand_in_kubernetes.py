"""A stand-in for the API of Kubernetes on loopback: pods are made, listed, read and deleted, and no more.

A manifest is held against the schema that the Kubernetes client carries, then against the rules for what it
says. The command of its one container runs here as a local process.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes import client
from stand_in_jobs import CPUS, GPUS, MEMORY, NODES, Job, Request
from stand_in_queue import ask_server, jobs_of

IMAGE, NAMESPACE, TOKEN = "registry.example.org/estimate:1", "chemistry", "secret"
_CONFIG = """apiVersion: v1
kind: Config
current-context: stand-in
clusters: [{{name: stand-in, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: tester, user: {{token: {token}}}}}]
contexts: [{{name: stand-in, context: {{cluster: stand-in, user: tester}}}}]
"""
_NAME, _LABEL = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?"
_UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}


class RefusedError(Exception):
    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


def unknown_fields(value: Any, kind: str, path: str = "") -> list[str]:
    """What in a manifest is not of the documented schema."""
    inner = re.fullmatch(r"(list\[|dict[\[(]str, )(.+)[\])]", kind, re.IGNORECASE)
    simple = {"str": str, "int": int, "bool": bool}.get(kind)
    if simple is not None:
        right = isinstance(value, simple) and (kind == "bool" or not isinstance(value, bool))
        return [] if right else [f"{path}: not of type {kind}"]
    shape = list if inner and inner[1].lower() == "list[" else dict
    if not isinstance(value, shape):
        return [f"{path}: not a {shape.__name__}"]
    if inner:
        places = [f"[{i}]" for i in range(len(value))] if shape is list else [f".{key}" for key in value]
        items = value if shape is list else value.values()
        pairs = zip(places, items, strict=True)
        return [bad for place, item in pairs for bad in unknown_fields(item, inner[2], f"{path}{place}")]
    model = getattr(client, kind)
    kinds = {model.attribute_map[name]: of for name, of in model.openapi_types.items()}
    wrong = []
    for key, item in value.items():
        place = f"{path}.{key}".removeprefix(".")
        known = key in kinds
        wrong += unknown_fields(item, kinds[key], place) if known else [f'unknown field "{place}"']
    return wrong


def read_manifest(pod: dict[str, Any], image_environment: dict[str, str]) -> Request:
    """What a manifest asks for."""
    if wrong := unknown_fields(pod, "V1Pod"):
        words = f'Pod in version "v1" cannot be handled as a Pod: strict decoding error: {", ".join(wrong)}'
        raise RefusedError(HTTPStatus.BAD_REQUEST, words)
    metadata, spec = pod.get("metadata", {}), pod.get("spec", {})
    name, labels = metadata.get("name", ""), metadata.get("labels", {})

    def demand(field: str, right: object, words: str = "Invalid value") -> None:
        if not right:
            message = f'Pod "{name}" is invalid: {field}: {words}'
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, message)

    demand("apiVersion", (pod.get("apiVersion"), pod.get("kind")) == ("v1", "Pod"))
    demand("metadata.name", re.fullmatch(_NAME, name))
    demand("metadata.labels", all(re.fullmatch(_LABEL, value) for value in labels.values()))
    demand("spec.restartPolicy", spec.get("restartPolicy") == "Never", "the stand-in restarts nothing")
    demand("spec.containers", len(spec.get("containers", [])) == 1, "the stand-in runs one")
    demand("spec.activeDeadlineSeconds", spec.get("activeDeadlineSeconds", 1) > 0)
    [container] = spec["containers"]
    demand("spec.containers[0].name", re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", container["name"]))
    demand("spec.containers[0].image", container.get("image"), "Required value")
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    for i, mount in enumerate(container.get("volumeMounts", [])):
        found = mount["name"] in volumes
        demand(f"spec.containers[0].volumeMounts[{i}].name", found, f'Not found: "{mount["name"]}"')
    resources = container.get("resources", {})
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    amounts = {}
    for kind, text in limits.items():
        field = f"spec.containers[0].resources.limits[{kind}]"
        quantity = re.fullmatch(r"(\d+)([A-Za-z]*)", text)
        demand(field, quantity and quantity[2] in _UNITS, "quantities must match the regular expression")
        demand(field, kind in ("cpu", "memory") or "/" in kind, "must be a standard resource for containers")
        amounts[kind] = int(quantity[1]) * _UNITS[quantity[2]]  # type: ignore[index]
        same = requests.get(kind, text) == text
        demand(field, "/" not in kind or same, "must be equal to requests")
    return Request(
        name=name,
        queue=labels.get("kueue.x-k8s.io/queue-name", ""),
        command=[*container.get("command", []), *container.get("args", [])],
        cpus=amounts.get("cpu", 0),
        memory=amounts.get("memory", 0),
        seconds=spec.get("activeDeadlineSeconds", 10**6),
        gpus=sum(amount for kind, amount in amounts.items() if "/" in kind),
        environment={
            **image_environment,
            "HOSTNAME": name,
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "NVIDIA_VISIBLE_DEVICES": "{gpus}",
        },
    )


class _Pods(HTTPServer):
    """The pods there are, each with the number of its job where its image could be had."""

    def __init__(self, place: Path, image_environment: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.place, self.image_environment = place, image_environment
        self.pods: dict[str, tuple[dict[str, Any], int | None]] = {}
        self.deleted: set[str] = set()

    def service_actions(self) -> None:
        if self.deleted:
            jobs = self.jobs()
            for name in list(self.deleted):
                number = self.pods[name][1]
                if number is None or jobs[number].state == "ended":
                    self.deleted.discard(name)
                    del self.pods[name]

    def jobs(self) -> dict[int, Job]:
        return {job.number: job for job in jobs_of(self.place)}

    def create(self, pod: dict[str, Any]) -> dict[str, Any]:
        request = read_manifest(pod, self.image_environment)
        if request.name in self.pods:
            raise RefusedError(HTTPStatus.CONFLICT, f'pods "{request.name}" already exists')
        there = pod["spec"]["containers"][0]["image"] == IMAGE
        number = ask_server(self.place, do="submit", request=asdict(request)) if there else None
        self.pods[request.name] = (pod, number)
        return self.read(request.name)

    def read(self, name: str) -> dict[str, Any]:
        if name not in self.pods:
            raise RefusedError(HTTPStatus.NOT_FOUND, f'pods "{name}" not found')
        pod, number = self.pods[name]
        job = None if number is None else self.jobs()[number]
        metadata = pod["metadata"] | {"namespace": NAMESPACE}
        if name in self.deleted:
            metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        return pod | {"metadata": metadata, "status": self._status(pod, job)}

    def delete(self, name: str) -> dict[str, Any]:
        pod = self.read(name)
        self.deleted.add(name)
        if (number := self.pods[name][1]) is not None:
            ask_server(self.place, do="delete", number=number)
        return pod

    def _status(self, pod: dict[str, Any], job: Job | None) -> dict[str, Any]:
        if job is None:
            image = pod["spec"]["containers"][0]["image"]
            waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}
            return {"phase": "Pending", "containerStatuses": [_container(waiting=waiting)]}
        if job.state == "waits":
            scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
            return {"phase": "Pending", "conditions": [scheduled | {"message": _unschedulable(job.asked)}]}
        if job.state == "runs":
            return {"phase": "Running", "containerStatuses": [_container(running={})]}
        if job.reason == "time":
            return {"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active too long"}
        over: dict[str, Any] = {
            "exitCode": job.exit_code,
            "reason": "Error" if job.exit_code else "Completed",
        }
        if job.exit_code and pod["spec"]["containers"][0].get("terminationMessagePolicy"):
            over["message"] = (self.place / f"{job.number}.err").read_text(encoding="utf-8")[-2048:]
        return {
            "phase": "Failed" if job.exit_code else "Succeeded",
            "containerStatuses": [_container(terminated=over)],
        }


def _container(**state: Any) -> dict[str, Any]:
    facts = {"name": "workers", "image": IMAGE, "imageID": "", "restartCount": 0}
    return facts | {"ready": "running" in state, "state": state}


def _unschedulable(asked: Request) -> str:
    over = {"cpu": asked.cpus > CPUS, "memory": asked.memory > MEMORY, "nvidia.com/gpu": asked.gpus > GPUS}
    lacking = next((name for name, too_much in over.items() if too_much), "cpu")
    return f"0/{len(NODES)} nodes are available: {len(NODES)} Insufficient {lacking}."


class _Handler(BaseHTTPRequestHandler):
    server: _Pods

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        self._answer("POST")

    def do_GET(self) -> None:
        self._answer("GET")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            status, answer = HTTPStatus.OK, self._do(method, body)
        except RefusedError as error:
            status = error.status
            answer = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(error)}
        text = json.dumps(answer).encode()
        with contextlib.suppress(BrokenPipeError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    def _do(self, method: str, body: bytes) -> dict[str, Any]:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "Unauthorized")
        path = re.fullmatch(r"/api/v1/namespaces/([^/]+)/pods(?:/([^/]+))?", url.path)
        if path is None or set(query) - {"fieldValidation", "labelSelector"}:
            raise RefusedError(HTTPStatus.NOT_FOUND, "the server could not find the requested resource")
        if path[1] != NAMESPACE:
            raise RefusedError(HTTPStatus.NOT_FOUND, f'namespaces "{path[1]}" not found')
        match method, path[2]:
            case "POST", None:
                return self.server.create(json.loads(body))
            case "GET", None:
                key, _, value = query.get("labelSelector", "").partition("=")
                pods = [self.server.read(name) for name in self.server.pods]
                chosen = [
                    pod for pod in pods if not key or pod["metadata"].get("labels", {}).get(key) == value
                ]
                return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": chosen}
            case "GET", name:
                return self.server.read(str(name))
            case "DELETE", str(name):
                return self.server.delete(name)
        raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "the server does not allow this method")


def main(place: Path, image_environment: str) -> None:
    with _Pods(place, json.loads(image_environment)) as server:
        config = place / "config.new"
        config.write_text(_CONFIG.format(port=server.server_port, token=TOKEN))
        config.rename(place / "config")
        server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
