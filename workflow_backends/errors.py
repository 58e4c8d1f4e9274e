"""The exceptions of this package: ordinary, picklable, each with one line that says what to do."""

__all__ = [
    "BackendStateError",
    "BlockEndingError",
    "DeviceError",
    "EngineError",
    "InputFailedError",
    "InvalidConfigurationError",
    "InvalidResourcesError",
    "PlatformUnavailableError",
    "RemoteError",
    "ResultError",
    "TaskError",
    "TaskExitedError",
    "TimeLimitError",
    "WorkerLostError",
    "WorkflowBackendError",
]


class WorkflowBackendError(Exception):
    """The root of every error that this package raises itself."""


class InvalidResourcesError(WorkflowBackendError, ValueError):
    """Resources, a number of workers or a task option that cannot be served."""


class InvalidConfigurationError(WorkflowBackendError, ValueError):
    """A description of a backend whose type, keys or values are not allowed."""


class PlatformUnavailableError(WorkflowBackendError):
    """The OpenMM platform that was asked for does not work on this machine."""


class BackendStateError(WorkflowBackendError, RuntimeError):
    """A backend was used before start(), after stop() or in a forked child."""


class EngineError(WorkflowBackendError):
    """The engine under the backend failed, so that no task can run any more."""


class DeviceError(WorkflowBackendError):
    """Raised by a task whose worker's device failed: it is run again, on another worker where there is one.

    The worker's process is replaced, for a driver may refuse it for good.
    """


class BlockEndingError(WorkflowBackendError):
    """Raised by a task that saved its work because its block of workers ends: it goes on, on another block.

    See `block.time_left`. Where no end of the block is known, it is an error like any other.
    """


class TaskError(WorkflowBackendError):
    """A task failed for a reason other than an exception of its own."""


class InputFailedError(TaskError):
    """A future among the task's arguments failed, so that the task never ran."""


class WorkerLostError(TaskError):
    """The worker died under the task every time it was tried."""


class TimeLimitError(TaskError, TimeoutError):
    """The task ran longer than its time limit and was ended."""


class TaskExitedError(TaskError):
    """The task raised what no future may carry: SystemExit, KeyboardInterrupt, StopIteration, ..."""


class RemoteError(TaskError):
    """Stands for an exception of the task that could not be pickled or rebuilt."""


class ResultError(TaskError):
    """The task's result could not be pickled in the worker, or not be rebuilt here."""
