import json
import subprocess
import sys
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from rich.console import Console

from protocols.graphs.protocol import Protocol
from protocols.progress import RunningSimulation, Watcher, show_progress
from protocols.progress.forecast import Pace, rounds_left
from protocols.progress.screens import Lines
from protocols.progress.snapshot import Snapshot, Standing
from protocols.running.locking import LOCK_NAME
from protocols.running.pace import PROGRESS_NAME
from protocols.running.run import GraphRun
from protocols.running.workers import Workers


class Step(Protocol):
    value: float

    class Outputs(Protocol.Outputs):
        value: float

    def execute(self, directory, available_resources):
        return self.Outputs(value=self.value)


class Manual(Workers):
    number_for_simulations = 1

    def __init__(self):
        self.futures = {}

    def submit(self, task, upstream, *, uses_gpu, done):
        return self.futures.setdefault(task.label, Future())

    def cancel(self, future, reason):
        pass

    def close(self):
        pass


@pytest.fixture
def chain():
    first = Step(value=1)
    second = Step(value=first.output.value)
    return first, second, Step(value=second.output.value)


@pytest.fixture
def run(chain, tmp_path):
    workers = Manual()
    run = GraphRun(tmp_path, workers)
    run.need([chain[-1]], "me")
    run.futures = workers.futures
    return run


def touch(run, protocol, name, text="{}"):
    run.home(protocol).mkdir(exist_ok=True)
    (run.home(protocol) / name).write_text(text)


def looked(run, summaries=()):
    return Watcher(run, lambda: list(summaries)).look()


SUMMARY = {
    "property": "Density of O", "round": 3, "value": 0.98765, "standard_error": 0.004, "target": 0.002,
    "unit": "g/mL", "status": "running", "history": [[1, 0.01, 9]] * 2, "most_rounds": 20,
}  # fmt: skip


def test_it_counts_what_is_done_and_busy_and_reads_how_far_simulations_are(run, chain):
    first, second, _ = chain
    assert (looked(run).done, looked(run).busy, looked(run).total) == (0, 0, 3)
    run.futures[first.label].set_result(SimpleNamespace(value=1))
    touch(run, second, LOCK_NAME)
    progress = {"steps_done": 25, "steps_total": 100, "ns_per_day": 43.21, "ns_total": 0.4}
    touch(run, second, PROGRESS_NAME, json.dumps(progress))
    seen = looked(run)
    assert (seen.done, seen.busy, seen.workers) == (1, 1, 1)
    assert seen.simulations == ((second.label, 0.25, 43.21, 0.4),)
    assert seen.ns_per_day == 43.21
    assert seen.others == ()


_WORKER = """
import sys, time
from pathlib import Path
from protocols.running.locking import DirectoryLock
with DirectoryLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_worker_that_was_killed_is_not_busy(run, chain):
    run.home(chain[0]).mkdir(exist_ok=True)
    command = [sys.executable, "-c", _WORKER, str(run.home(chain[0]))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout.readline() == "held\n"
        assert looked(run).busy == 1
        worker.kill()
    assert (run.home(chain[0]) / LOCK_NAME).exists()
    assert looked(run).busy == 0


def test_it_tells_each_property_beside_its_target(run):
    new = {"property": "Density of [Ar]", "round": 1, "status": "running", "value": None}
    first, second = looked(run, [SUMMARY, new]).properties
    assert first.text == "Density of O: 0.988 +/- 0.004 g/mL, target 0.002 (round 3, running)"
    assert first.share == pytest.approx(0.25)
    assert second.text == "Density of [Ar]: round 1, running"
    assert second.share is None


def test_a_damaged_progress_file_breaks_nothing(run, chain):
    touch(run, chain[0], LOCK_NAME)
    touch(run, chain[0], PROGRESS_NAME, '{"steps_d')
    assert looked(run).busy == 1
    assert looked(run).simulations == ()
    assert looked(run).others == ("Step",)  # what cannot tell how far it is, is named


def test_the_rounds_that_are_left_follow_from_error_and_target():
    # Twice the target after two rounds: eight are needed, one more to confirm, and the third runs now.
    assert rounds_left(SUMMARY) == 6
    assert rounds_left(SUMMARY | {"most_rounds": 5}) == 2
    assert rounds_left(SUMMARY | {"standard_error": 0.001}) == 0
    assert rounds_left(SUMMARY | {"standard_error": 0.001, "round": 2}) == 1
    assert rounds_left(SUMMARY | {"target": None}) == 0
    assert rounds_left(SUMMARY | {"status": "converged"}) == 0


class Long(Step):
    steps: int = 1000


def test_the_time_left_counts_each_shared_simulation_once(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("protocols.progress.forecast.time.monotonic", lambda: now[0])
    running, waiting = Long(value=1), Long(value=2)
    shared = SUMMARY | {"simulations": "liquid", "steps_a_round": 1000}
    pace = Pace()
    assert pace.seconds_left([running, waiting], {running.identity: 0.5}, [shared]) is None
    now[0] = 10.0  # a tenth of a second a step
    left = pace.seconds_left([running, waiting], {running.identity: 0.6}, [shared, shared])
    assert left == pytest.approx(0.1 * (400 + 1000 + 6 * 1000))
    # Between two simulations the pace is remembered.
    assert pace.seconds_left([waiting], {}, []) == pytest.approx(100)
    assert pace.seconds_left([], {}, []) is None  # there is nothing to wait for


@pytest.mark.parametrize("wanted", [None, False])
def test_a_short_run_is_quiet_where_nobody_watches(run, capfd, wanted):
    with show_progress(run, list, wanted=wanted):
        pass
    assert capfd.readouterr() == ("", "")


def spoken(snapshots, capfd, monkeypatch, at_once=False):
    """What is printed of snapshots that are seen at these times, by the time."""
    now = [0.0]
    monkeypatch.setattr("protocols.progress.screens.time.monotonic", lambda: now[0])
    lines, printed = Lines(Console(stderr=True), at_once=at_once), {}
    for at, snapshot in snapshots:
        now[0] = at
        lines.show(snapshot)
        found = [line.split(" ", 1)[1] for line in capfd.readouterr().err.splitlines()]
        printed |= {at: found} if found else {}
    lines.end(snapshots[-1][1])
    assert capfd.readouterr().err == ""  # all has been told
    return printed


def snapshot(*properties, fraction=0.5):
    simulations = (RunningSimulation("OpenMMSimulation-1", fraction, 100.0, 0.4),)
    return Snapshot(2, 9, 1, 1, tuple(properties), simulations)


ROUND_3 = Standing("Density of O", "running", 3, "0.988 +/- 0.004 g/mL", "0.002", 0.25)
ROUND_4 = ROUND_3._replace(round=4, value="0.985 +/- 0.003 g/mL")


def test_a_long_run_speaks_every_half_minute_of_what_is_new_and_of_how_far_it_is(capfd, monkeypatch):
    seen = [
        (29, snapshot(ROUND_3, fraction=0.1)),
        (31, snapshot(ROUND_3, fraction=0.2)),
        (59, snapshot(ROUND_3, fraction=0.3)),
        (62, snapshot(ROUND_3, fraction=0.4)),
        (80, snapshot(ROUND_4, fraction=0.1)),
        (93, snapshot(ROUND_4, fraction=0.2)),
    ]
    about = "2 of 9 protocols, 1 of 1 workers busy, 100 ns/day"
    assert spoken(seen, capfd, monkeypatch) == {
        31: [f"{about}, 80 of 400 ps simulated", ROUND_3.text],
        62: [f"{about}, 160 of 400 ps simulated; {ROUND_3.text}"],
        93: [f"{about}, 80 of 400 ps simulated", ROUND_4.text],
    }


def test_a_property_that_has_ended_is_told_at_once(capfd, monkeypatch):
    other = ROUND_3._replace(name="Density of [Ar]")
    ended = ROUND_4._replace(status="converged")
    seen = [(0, snapshot(ROUND_3, other)), (5, snapshot(ROUND_4, other)), (6, snapshot(ended, other))]
    printed = spoken(seen, capfd, monkeypatch, at_once=True)
    assert {at: lines[1:] for at, lines in printed.items()} == {
        0: [ROUND_3.text, other.text],
        6: [ended.text],
    }


def test_what_does_not_tell_how_far_it_is_is_named(capfd, monkeypatch):
    packing = Snapshot(2, 9, 1, 1, (ROUND_3,), others=("BuildCoordinatesPackmol",))
    [first, _] = spoken([(0, packing)], capfd, monkeypatch, at_once=True)[0]
    assert first == "2 of 9 protocols, 1 of 1 workers busy, BuildCoordinatesPackmol at work"


def test_while_nothing_moves_lines_become_rarer(capfd, monkeypatch):
    seen = [(at, snapshot(ROUND_3)) for at in range(0, 3600, 10)]
    assert list(spoken(seen, capfd, monkeypatch)) == [30, 60, 90, 150, 270, 510, 990, 1590, 2190, 2790, 3390]
