"""SIGKILL between any two file-system operations, then the same command again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from injection import VARIANTS
from killing import Forks, Whole, contents, executions, finished, fresh

KINDS = ("graph", "NVT", "NPT", "DCD")


def _kill_and_finish(forks: Forks, whole: Whole, place: Path, at: int, variant: str) -> int:
    """Kill once, finish, compare; return how many kills that were."""
    directory = fresh(place)
    killed = forks.run(whole.kind, directory, at, variant)["killed"]
    _finish_and_compare(forks, whole, directory)
    return killed


def _finish_and_compare(forks: Forks, whole: Whole, directory: Path) -> None:
    before, executed = finished(directory), executions(directory)
    forks.finish(whole.kind, directory)
    assert contents(directory) == whole.contents
    after = finished(directory)
    assert {name: after[name] for name in before} == before
    assert not set(before) & set(executions(directory)[len(executed) :])


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_every_few_operations(forks, whole, place, kind) -> None:
    reference, kills = whole(kind), 0
    for turn, at in enumerate(range(2, len(reference.operations), 5)):
        kills += _kill_and_finish(forks, reference, place, at, VARIANTS[turn % len(VARIANTS)])
    assert kills >= 20


@pytest.mark.repeated
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_every_operation(forks, whole, place, kind, variant) -> None:
    reference, kills = whole(kind), 0
    for at, (name, *_) in enumerate(reference.operations):
        if variant != "torn" or name == "write":
            kills += _kill_and_finish(forks, reference, place, at, variant)
    print(f"{kind}, {variant}: {kills} kills")


def _kill_until_it_finishes(forks: Forks, whole: Whole, place: Path, seed: int) -> int:
    rng, directory, kills = random.Random(seed), fresh(place), 0
    while True:
        before, executed = finished(directory), executions(directory)
        answer = forks.run(whole.kind, directory, rng.randrange(60), rng.choice(VARIANTS))
        assert answer["error"] == ""
        after = finished(directory)
        assert {name: after[name] for name in before} == before
        assert not set(before) & set(executions(directory)[len(executed) :])
        if not answer["killed"]:
            assert contents(directory) == whole.contents
            return kills
        kills += 1


@pytest.mark.parametrize("seed", range(2))
def test_killed_again_and_again(forks, whole, place, seed) -> None:
    kills = _kill_until_it_finishes(forks, whole("everything"), place, seed)
    assert kills > 3


@pytest.mark.repeated
@pytest.mark.timeout(1200)
def test_killed_again_and_again_many_times(forks, whole, place) -> None:
    kills = sum(_kill_until_it_finishes(forks, whole("everything"), place, seed) for seed in range(2, 52))
    print(f"again and again: {kills} kills")
