import dataclasses
import json
import os
import re
import threading
import time
from typing import ClassVar

import pytest

from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.running.holder import Holder
from protocols.running.locking import LOCK_NAME, DirectoryLock
from protocols.running.run import CALCULATION_NAME, ESTIMATES_NAME, INDEX_NAME, GraphRun
from protocols.running.workers import InProcessWorkers
from protocols.status import ProtocolState, run_status


class Step(Protocol):
    value: float
    fails: bool = False

    class Outputs(Protocol.Outputs):
        value: float

    def execute(self, directory, available_resources):
        if self.fails:
            raise RuntimeError("no luck")
        return self.Outputs(value=self.value)


class Wait(Protocol):
    class Outputs(Protocol.Outputs):
        value: float

    started: ClassVar = threading.Event()
    go_on: ClassVar = threading.Event()

    def execute(self, directory, available_resources):
        self.started.set()
        self.go_on.wait(60)
        return self.Outputs(value=1)


def finish(directory, *protocols):
    workers = InProcessWorkers()
    run = GraphRun(directory, workers)
    run.need(protocols, "me")
    ended = set()
    while not set(protocols) <= ended:
        ended |= set(run.wait())
    workers.close()


def state_of(directory, protocol):
    return next(item for item in run_status(directory).protocols if item.label == protocol.label)


def test_finished_failed_and_never_reached_are_told_apart(tmp_path):
    good, bad = Step(value=1), Step(value=2, fails=True)
    after = Step(value=bad.output.value)
    finish(tmp_path, good, after)
    assert state_of(tmp_path, good).state is ProtocolState.finished
    assert state_of(tmp_path, good).worker.startswith("process ")
    assert state_of(tmp_path, good).seconds >= 0
    assert state_of(tmp_path, bad).state is ProtocolState.failed
    assert state_of(tmp_path, bad).error == "RuntimeError: no luck"
    assert state_of(tmp_path, after).state is ProtocolState.waiting
    assert state_of(tmp_path, after).upstream == (bad.label,)
    assert "1 finished, 1 failed, 1 waiting; nobody drives it" in str(run_status(tmp_path))


def test_what_runs_names_its_worker_and_what_died_is_interrupted(tmp_path):
    wait, workers = Wait(), InProcessWorkers()
    run = GraphRun(tmp_path, workers)
    with DirectoryLock(tmp_path):
        run.need([wait], "me")
        assert Wait.started.wait(30)
        assert state_of(tmp_path, wait).state is ProtocolState.running
        assert state_of(tmp_path, wait).worker == run_status(tmp_path).holder
        lock = tmp_path / wait.label / LOCK_NAME
        record = json.loads(lock.read_text(encoding="utf-8"))
        lock.write_text(json.dumps(record | {"started": "2020-01-01T00:00:00+00:00"}))
        os.utime(lock)  # as a heartbeat does
        assert state_of(tmp_path, wait).seconds > 1e8
        Wait.go_on.set()
        list(run.wait())
    workers.close()
    assert run_status(tmp_path).holder is None
    (tmp_path / wait.label / "result.json").unlink()
    assert state_of(tmp_path, wait).state is ProtocolState.interrupted


def test_a_failure_is_forgotten_once_the_protocol_is_finished(tmp_path):
    step = Step(value=2)
    finish(tmp_path, step)
    (tmp_path / step.label / "error.json").write_text('{"error": "an old one"}')
    assert state_of(tmp_path, step).state is ProtocolState.finished
    assert state_of(tmp_path, step).error is None


def test_a_torn_index_and_a_directory_without_a_run(tmp_path):
    finish(tmp_path, Step(value=1))
    with (tmp_path / INDEX_NAME).open("a") as file:
        file.write('{"label": "Ste')
    assert len(run_status(tmp_path).protocols) == 1
    with pytest.raises(InputError, match="holds no run"):
        run_status(tmp_path / "nowhere")


def on_its_way(directory):
    finish(directory, Step(value=1))
    estimates = [{"property": "A", "status": "running"}, {"property": "B", "status": "converged"}]
    (directory / ESTIMATES_NAME).write_text(json.dumps(estimates))


def test_a_property_on_its_way_is_interrupted_once_nobody_drives_the_run(tmp_path):
    on_its_way(tmp_path)
    with DirectoryLock(tmp_path):
        driven = run_status(tmp_path)
    assert [item["status"] for item in driven.estimates] == ["running", "converged"]
    assert not driven.interrupted
    assert driven.driver == f"driven by {driven.holder}"
    status = run_status(tmp_path)
    assert status.interrupted
    assert [item["status"] for item in status.estimates] == ["interrupted", "converged"]
    assert status.driver == "interrupted; go on with the same script and the same directory"
    (tmp_path / CALCULATION_NAME).touch()
    assert str(status).endswith(f"go on with estimate-properties resume {tmp_path}")


@pytest.mark.parametrize(
    ("silent", "words"),
    [
        (7, r"driven by process 12 on node7, last heard of \d+ s ago$"),
        (7 * 60, "interrupted, it seems: process 12 on node7 was last heard of 7 min ago; go on with "),
        (7 * 3600, "interrupted, it seems: process 12 on node7 was last heard of 7 h ago; go on with "),
    ],
)
def test_a_process_on_another_machine_is_judged_by_its_heartbeat_and_that_is_said(tmp_path, silent, words):
    on_its_way(tmp_path)
    holder = dataclasses.replace(Holder.here(), host="node7", pid=12)
    lock = tmp_path / LOCK_NAME
    lock.write_text(json.dumps({"process": dataclasses.asdict(holder)}))
    os.utime(lock, (time.time() - silent,) * 2)
    status = run_status(tmp_path)
    assert re.match(words, status.driver)
    assert status.interrupted is (silent > 45)


def test_a_run_that_has_ended_is_not_interrupted_by_the_death_of_its_process_after_that(tmp_path):
    finish(tmp_path, Step(value=1))
    holder = dataclasses.replace(Holder.here(), started=1.0)
    (tmp_path / LOCK_NAME).write_text(json.dumps({"process": dataclasses.asdict(holder)}))
    assert run_status(tmp_path).driver.startswith(f"interrupted: {holder} has died; go on with ")
    (tmp_path / ESTIMATES_NAME).write_text(json.dumps([{"property": "A", "status": "converged"}]))
    assert run_status(tmp_path).driver == "nobody drives it"
