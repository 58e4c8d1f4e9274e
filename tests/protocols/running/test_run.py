import threading
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from protocols.graphs.protocol import Protocol
from protocols.running.run import INDEX_NAME, GraphRun
from protocols.running.workers import InProcessWorkers, Workers


class Step(Protocol):
    value: float
    fails: bool = False

    class Outputs(Protocol.Outputs):
        value: float

    def execute(self, directory, available_resources):
        if self.fails:
            raise RuntimeError("no luck")
        return self.Outputs(value=self.value + 1)


class Manual(Workers):
    """Tasks that end when the test says so."""

    number_for_simulations = 2

    def __init__(self):
        self.futures, self.cancelled, self.gpu = {}, [], {}

    def submit(self, task, upstream, *, uses_gpu, done):
        future = self.futures[task.label] = Future()
        self.gpu[task.label] = uses_gpu
        future.add_done_callback(lambda _: done())
        return future

    def cancel(self, future, reason):
        future.cancel()
        self.cancelled.append(next(label for label, item in self.futures.items() if item is future))

    def close(self):
        pass


def test_what_two_owners_share_is_stopped_only_when_neither_needs_it(tmp_path):
    shared = Step(value=1)
    mine, yours = Step(value=shared.output.value), Step(value=shared.output.value, fails=True)
    workers = Manual()
    run = GraphRun(tmp_path, workers)
    run.need([mine], "me")
    run.need([yours], "you")
    assert len(workers.futures) == 3
    run.release("me")
    assert workers.cancelled == [mine.label]
    run.release("you")
    assert set(workers.cancelled) == {mine.label, shared.label, yours.label}


def test_who_asks_late_is_told_that_it_has_ended(tmp_path):
    step, workers = Step(value=1), Manual()
    run = GraphRun(tmp_path, workers)
    run.need([step], "me")
    workers.futures[step.label].set_result(SimpleNamespace(value=2))
    assert list(run.wait()) == [step]
    run.need([step], "you")
    assert list(run.wait(0)) == [step]


def test_what_was_stopped_can_be_asked_for_again(tmp_path):
    step, workers = Step(value=1), Manual()
    run = GraphRun(tmp_path, workers)
    run.need([step], "me")
    run.release("me")
    run.need([step], "you")
    workers.futures[step.label].set_result(SimpleNamespace(value=2))
    assert run.outcome(step).value == 2


def test_the_culprit_is_the_one_that_failed_by_itself(tmp_path):
    bad = Step(value=1, fails=True)
    after = Step(value=bad.output.value)
    workers = InProcessWorkers()
    run = GraphRun(tmp_path, workers)
    run.need([after], "me")
    ended = []
    while after not in ended:
        ended += run.wait()
    protocol, error = run.culprit(after)
    assert protocol == bad
    assert "no luck" in str(error)
    assert "no luck" in (tmp_path / bad.label / "error.json").read_text(encoding="utf-8")
    assert not (tmp_path / after.label / "error.json").exists()
    workers.close()


def test_finished_protocols_are_reported_without_being_submitted(tmp_path):
    step, workers = Step(value=1), InProcessWorkers()
    run = GraphRun(tmp_path, workers)
    run.need([step], "me")
    assert list(run.wait()) == [step]
    workers.close()
    idle = Manual()
    again = GraphRun(tmp_path, idle)
    again.need([step], "me")
    assert list(again.wait()) == [step]
    assert again.outcome(step).value == 2
    assert idle.futures == {}
    assert len((tmp_path / INDEX_NAME).read_text(encoding="utf-8").splitlines()) == 1


def test_waiting_ends_when_woken_or_late(tmp_path):
    run = GraphRun(tmp_path, Manual())
    assert list(run.wait(0.01)) == []
    threading.Timer(0.05, run.wake).start()
    assert list(run.wait()) == []


def test_work_in_this_process_stops_between_steps(tmp_path):
    from protocols.errors import InterruptedRunError
    from protocols.running.interruption import check_interruption

    started = threading.Event()

    class Endless(Protocol):
        class Outputs(Protocol.Outputs):
            pass

        def execute(self, directory, available_resources):
            started.set()
            while True:
                check_interruption()

    workers = InProcessWorkers()
    run = GraphRun(tmp_path, workers)
    endless, queued = Endless(), Step(value=3)
    run.need([endless, queued], "me")
    assert started.wait(10)
    run.release("me")
    workers.close()
    with pytest.raises(InterruptedRunError):
        run.handles()[endless.identity].result()
    assert run.handles()[queued.identity].cancelled()
    assert not (tmp_path / endless.label / "error.json").exists()
