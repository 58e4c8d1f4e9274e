"""Makes, lists and deletes pods: ``python -P pods.py {create,list,delete} NAMESPACE ...``.

The scheduler's programs, where it is Kubernetes: a process of its own for each call, as theirs are. It
imports nothing of this package.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

__all__: list[str] = []

# An answer is not held against the client's own schema: a cluster of another version knows other fields.
_PLAIN: dict[str, Any] = {"_preload_content": False, "_request_timeout": 20}
_NOT_FOUND = 404


def _api() -> Any:
    """Return the API of the cluster in the user's configuration, or else of the one that this pod is in."""
    from kubernetes import client, config  # noqa: PLC0415

    try:
        config.load_kube_config()
    except config.ConfigException as error:
        try:
            config.load_incluster_config()
        except config.ConfigException:
            raise ValueError(f"no configuration, and this is no pod: {error}") from error
    return client.CoreV1Api()


def _create(namespace: str) -> None:
    import yaml  # noqa: PLC0415

    pod = yaml.safe_load(sys.stdin)
    answer = _api().create_namespaced_pod(namespace, pod, field_validation="Strict", **_PLAIN)
    _print(f"pod/{json.loads(answer.data)['metadata']['name']}")


def _list(namespace: str, selector: str) -> None:
    _print(_api().list_namespaced_pod(namespace, label_selector=selector, **_PLAIN).data.decode())


def _delete(namespace: str, *pods: str) -> None:
    from kubernetes.client import ApiException  # noqa: PLC0415

    api = _api()
    for pod in pods:
        try:
            api.delete_namespaced_pod(pod.removeprefix("pod/"), namespace, **_PLAIN)
        except ApiException as error:
            if error.status != _NOT_FOUND:
                raise


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _words(error: Exception) -> str:
    """Return what the API says, which is the message of its answer, or else what the client says."""
    try:
        return str(json.loads(error.body)["message"])  # type: ignore[attr-defined]
    except (AttributeError, KeyError, TypeError, ValueError):
        return str(error) or type(error).__name__


def main(action: str, namespace: str, *arguments: str) -> int:
    """Do what is asked for; in vain, the reason is on standard error."""
    actions: dict[str, Callable[..., None]] = {"create": _create, "list": _list, "delete": _delete}
    try:
        actions[action](namespace, *arguments)
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error}; install estimate-properties[kubernetes]\n")
    except Exception as error:  # noqa: BLE001  # of the API, of the connection, of the configuration
        sys.stderr.write(f"{_words(error)}\n")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
