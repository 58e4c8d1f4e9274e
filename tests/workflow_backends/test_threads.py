"""Threads in the place of a pool's processes."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading

import pytest

from workflow_backends import runner
from workflow_backends.parsl_engine.threads import ThreadContext


def test_a_worker_runs_in_this_process_and_tells_when_it_died() -> None:
    context = ThreadContext()
    tasks, results = context.Queue(), context.Queue()

    def work(rank: int, own: object) -> None:
        while (task := tasks.get(timeout=10)) is not None:
            results.put((own is tasks, task, threading.current_thread().name, runner._rank()))

    worker = context.Process(target=work, args=(3, tasks), name="worker 0")
    worker.start()
    tasks.put("a task")
    assert results.get(timeout=10) == (True, "a task", "worker 0", 3)
    assert worker.is_alive()
    tasks.put(None)
    threading.Thread.join(worker, 10)
    assert not worker.is_alive()


def test_an_empty_queue_says_so() -> None:
    with pytest.raises(queue.Empty):
        ThreadContext().Queue().get(timeout=0.01)


def test_a_count_is_shared_under_its_lock() -> None:
    count = ThreadContext().Value("i", 3)
    with count.get_lock():
        assert not count.get_lock().acquire(blocking=False)
        count.value += 1
    assert count.value == 4


def test_a_busy_worker_does_not_keep_its_process() -> None:
    code = """
import threading
from workflow_backends.parsl_engine.threads import ThreadContext
busy = ThreadContext().Process(lambda rank: threading.Event().wait(), (0,), "busy")
busy.start()
for end in (busy.terminate, busy.kill):
    end()
    busy.join()
busy.close()
print(busy.exitcode)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert run.stdout == "0\n"
