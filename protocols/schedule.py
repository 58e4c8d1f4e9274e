"""Which replicas run how many rounds: decided as workers fall free, kept so that a resumed run repeats it."""

from __future__ import annotations

import json
from pathlib import Path

from protocols.running.storage import set_aside, write_atomically

__all__ = ["Schedule"]

Rounds = tuple[int, ...]


class Schedule:
    """The rounds of one property's replicas, step by step.

    How many workers are free depends on the moment. What was decided once is therefore written down, and a
    resumed run takes the same decisions.

    Parameters
    ----------
    file
        Where it is kept; None for a plan, which keeps nothing.
    least_replicas
        To begin with.
    fixed
        Whether there are never more.
    most_runs
        How many runs a limit allows, each a round of one replica; more replicas join only within it.
    """

    def __init__(
        self, file: Path | None, least_replicas: int, *, fixed: bool, most_runs: int | None = None
    ) -> None:
        self._file = file
        self._least = least_replicas
        self._fixed = fixed
        self._most_runs = most_runs
        self._steps = [] if file is None else _read(file)

    def next(self, step: int, share_of_workers: int) -> Rounds:
        """Return how many rounds each replica will have run after this step, counted from 0.

        Parameters
        ----------
        step
            The next one, or one that was decided before.
        share_of_workers
            How many workers this property could keep busy.
        """
        if step < len(self._steps):
            return self._steps[step]
        before = self._steps[-1] if self._steps else ()
        wanted = self._least if self._fixed else max(self._least, share_of_workers)
        added = wanted - len(before)
        if self._most_runs is not None:
            added = min(added, self._most_runs - sum(before) - len(before))
        return (*(count + 1 for count in before), *([1] * max(0, added)))

    def decide(self, step: int, share_of_workers: int) -> Rounds:
        """Return `next`, and write it down."""
        rounds = self.next(step, share_of_workers)
        if step == len(self._steps):
            self._steps.append(rounds)
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self._file, json.dumps(self._steps))
        return rounds


def _read(file: Path) -> list[Rounds]:
    try:
        steps = [tuple(map(int, step)) for step in json.loads(file.read_bytes())]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        set_aside(file, str(error))
        return []
    return steps
