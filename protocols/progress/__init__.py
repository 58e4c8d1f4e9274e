"""Live progress of a run."""

from protocols.progress.screens import show_progress
from protocols.progress.snapshot import RunningSimulation, Watcher, describe_summary, read_progress

__all__ = ["RunningSimulation", "Watcher", "describe_summary", "read_progress", "show_progress"]
