import json
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from rich.console import Console

from protocols.graphs.protocol import Protocol
from protocols.progress import Watcher, show_progress
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


def drawn(run, summaries=()):
    console = Console(width=120)
    with console.capture() as capture:
        console.print(Watcher(run, lambda: list(summaries)))
    return capture.get()


def test_it_counts_what_is_done_running_and_waiting_and_shows_speed(run, chain):
    first, second, _ = chain
    assert "0 done, 0 running, 3 waiting" in drawn(run)
    run.futures[first.label].set_result(SimpleNamespace(value=1))
    touch(run, second, LOCK_NAME)
    progress = {"steps_done": 25, "steps_total": 100, "ns_per_day": 43.21}
    touch(run, second, PROGRESS_NAME, json.dumps(progress))
    text = drawn(run)
    assert "1 done, 1 running, 1 waiting" in text
    assert "25%" in text
    assert "43.2 ns/day" in text


def test_it_shows_each_property_beside_its_target(run):
    summary = {
        "property": "Density of O", "round": 3, "value": 0.98765, "standard_error": 0.00312,
        "target": 0.002, "unit": "g/mL", "status": "running",
    }  # fmt: skip
    new = {"property": "Density of [Ar]", "round": 1, "status": "running", "value": None}
    text = drawn(run, [summary, new])
    assert "0.98765 +/- 0.0031 g/mL, target 0.002 (round 3, running)" in text
    assert "Density of [Ar]" in text


def test_a_damaged_progress_file_breaks_nothing(run, chain):
    touch(run, chain[0], LOCK_NAME)
    touch(run, chain[0], PROGRESS_NAME, '{"steps_d')
    assert "1 running" in drawn(run)


def test_it_is_quiet_when_not_on_a_terminal_and_speaks_when_asked(run, capfd):
    with show_progress(run, list, wanted=None):
        pass
    assert capfd.readouterr() == ("", "")
    with show_progress(run, list, wanted=True):
        pass
    assert "protocols" in capfd.readouterr().err
