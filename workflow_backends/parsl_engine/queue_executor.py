"""Parsl's executor on a queue: it asks the scheduler often only when there is something to learn."""

from __future__ import annotations

from parsl.jobs.states import JobState

from workflow_backends.parsl_engine.queue_provider import BUSY_POLL_S
from workflow_backends.parsl_engine.supervision import SupervisedExecutor

__all__ = ["QueueExecutor"]


class QueueExecutor(SupervisedExecutor):
    """A SupervisedExecutor whose blocks are jobs of a scheduler."""

    failed_blocks_limit = 3  # each may have waited for long

    @property
    def status_polling_interval(self) -> float:
        """Seconds between two queries: few while a job waits, starts or was just lost, else many."""
        running = {block for block, s in self.status_facade.items() if s.state == JobState.RUNNING}
        lost = running.difference(str(manager["block_id"]) for manager in self.connected_managers())
        return BUSY_POLL_S if lost else float(self.provider.status_polling_interval)
