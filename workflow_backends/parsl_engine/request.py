"""What is asked of a scheduler for one job, checked by name before anything starts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from workflow_backends.errors import InvalidResourcesError
from workflow_backends.resources import QueueWorkerResources, whole_number

__all__ = ["Job", "JobRequest", "check_word", "positive_seconds"]


@dataclass(frozen=True)
class JobRequest:
    """What is asked of a scheduler for each job of workers.

    Parameters
    ----------
    resources
        What each worker owns.
    workers_per_node
        Workers on each node of a job.
    nodes_per_job
        Nodes of a job.
    queue_name, account
        Queue or partition, and what is charged; None for the site's default.
    gpu_type
        The site's name for the kind of GPU; None for any.
    exclusive
        Whether the nodes are shared with no other job.
    setup_script_commands
        Lines of shell that run before the workers start.
    extra_script_options
        Options for the scheduler, as on its command line: ``"--constraint=a100"``.

    Raises
    ------
    InvalidResourcesError
        A value that no job script can hold, by its name.
    """

    resources: QueueWorkerResources
    workers_per_node: int = 1
    nodes_per_job: int = 1
    queue_name: str | None = None
    account: str | None = None
    gpu_type: str | None = None
    exclusive: bool = False
    setup_script_commands: Sequence[str] = ()
    extra_script_options: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Validate, and make the sequences tuples."""
        if not isinstance(self.resources, QueueWorkerResources):
            raise InvalidResourcesError(
                f"resources_per_worker: {self.resources!r} is not allowed; give a QueueWorkerResources"
            )
        for name in ("workers_per_node", "nodes_per_job"):
            whole_number(name, getattr(self, name), minimum=1)
        for name in ("queue_name", "account", "gpu_type"):
            check_word(name, getattr(self, name))
        if not isinstance(self.exclusive, bool):
            raise InvalidResourcesError(f"exclusive: {self.exclusive!r} is not allowed; give True or False")
        if self.gpu_type is not None and self.gpus == 0:
            raise InvalidResourcesError(
                f"gpu_type: {self.gpu_type!r} was given for workers without GPUs; set number_of_gpus"
            )
        for name in ("setup_script_commands", "extra_script_options"):
            object.__setattr__(self, name, _lines(name, getattr(self, name)))
        for option in self.extra_script_options:
            if not option.startswith("-"):
                raise InvalidResourcesError(
                    f"extra_script_options: {option!r} is not allowed; give it as on the scheduler's command"
                    " line, starting with '-'"
                )

    @property
    def cpus(self) -> int:
        """CPUs of a node."""
        return self.workers_per_node * self.resources.number_of_threads

    @property
    def gpus(self) -> int:
        """GPUs of a node."""
        return self.workers_per_node * self.resources.number_of_gpus

    @property
    def memory(self) -> int:
        """Memory of a node in bytes."""
        return self.cpus * int(self.resources.per_thread_memory_limit)

    @property
    def workers_per_job(self) -> int:
        """Workers of a whole job."""
        return self.workers_per_node * self.nodes_per_job


@dataclass(frozen=True)
class Job:
    """One job, beside what is asked for it.

    Parameters
    ----------
    name
        Of the run, which all its jobs share.
    stem
        Path of the job's files, without their endings.
    work_directory
        Where tasks run.
    environment
        Variables of the workers.
    command
        What starts the workers of a node.
    """

    name: str
    stem: str
    work_directory: str
    environment: dict[str, str]
    command: str


def check_word(name: str, value: object) -> None:
    """Refuse what is neither None nor one word that a job script can hold."""
    if value is not None and not (isinstance(value, str) and re.fullmatch(r"[\w.@:/,+=-]+", value)):
        raise InvalidResourcesError(f"{name}: {value!r} is not allowed; give one word")


def positive_seconds(name: str, value: object) -> float:
    """Return a number of seconds above zero, or raise an error that names it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InvalidResourcesError(f"{name}: {value!r} is not allowed; give seconds above 0")
    return float(value)


def _lines(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidResourcesError(f"{name}: {value!r} is not allowed; give a list of strings")
    for line in value:
        if not (isinstance(line, str) and line.strip()) or "\n" in line or "\0" in line:
            raise InvalidResourcesError(f"{name}: {line!r} is not allowed; give strings of one line each")
    return tuple(value)
