import dataclasses
import functools
import json
import os
import socket
import subprocess
import sys
import threading

import pytest
from waiting import wait_until

from protocols.errors import DirectoryLockedError, ExecutionError
from protocols.graphs.protocol import Protocol
from protocols.running import execution, locking
from protocols.running.execution import Task, execute_in, execute_task
from protocols.running.holder import Holder
from protocols.running.locking import LOCK_NAME, PROVENANCE_NAME, DirectoryLock, is_locked


def write_lock(directory, holder):
    (directory / LOCK_NAME).write_text(json.dumps({"process": dataclasses.asdict(holder)}))


def test_the_second_run_is_told_who_holds_the_directory(tmp_path):
    told = f"{tmp_path} is in use by process {os.getpid()} on "
    with DirectoryLock(tmp_path), pytest.raises(DirectoryLockedError, match=told):
        DirectoryLock(tmp_path).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_dead_process_is_taken_over_at_once(tmp_path):
    code = (
        "import os, sys, pathlib; from protocols.running.locking import DirectoryLock;"
        "DirectoryLock(pathlib.Path(sys.argv[1])).__enter__(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / LOCK_NAME).exists()
    with DirectoryLock(tmp_path, stale_after=float("inf")):
        pass


HOLD_UNTIL_TOLD = (
    "import sys, pathlib; from protocols.running.locking import DirectoryLock;"
    "DirectoryLock(pathlib.Path(sys.argv[1])).__enter__(); print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def other_process(tmp_path):
    """A living process that holds the directory until its standard input is closed; then it dies."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HOLD_UNTIL_TOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_another_living_process_keeps_the_lock(tmp_path, other_process):
    with pytest.raises(DirectoryLockedError, match=f"in use by process {other_process.pid} on "):
        DirectoryLock(tmp_path, patience=0.3).__enter__()


def test_a_process_that_is_about_to_die_is_waited_for(tmp_path, other_process):
    threading.Timer(0.3, other_process.kill).start()
    with DirectoryLock(tmp_path, patience=60):
        pass


def test_a_reused_process_id_does_not_keep_the_lock(tmp_path):
    write_lock(tmp_path, dataclasses.replace(Holder.here(), started=1.0))
    with DirectoryLock(tmp_path):
        pass


def test_a_silent_holder_on_another_machine_is_taken_over(tmp_path):
    write_lock(tmp_path, dataclasses.replace(Holder.here(), host="elsewhere"))
    with DirectoryLock(tmp_path, stale_after=0.3):
        pass


def test_a_beating_holder_on_another_machine_keeps_the_lock(tmp_path):
    write_lock(tmp_path, dataclasses.replace(Holder.here(), host="elsewhere"))
    stop = threading.Event()

    def beat():
        while not stop.wait(0.02):
            os.utime(tmp_path / LOCK_NAME)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(DirectoryLockedError, match="on elsewhere"):
            DirectoryLock(tmp_path, stale_after=30).__enter__()
    finally:
        stop.set()
        thread.join()


def test_a_holder_that_was_replaced_does_not_remove_the_other_lock(tmp_path):
    other = dataclasses.replace(Holder.here(), token="other")
    with DirectoryLock(tmp_path):
        write_lock(tmp_path, other)
    assert (tmp_path / LOCK_NAME).exists()


class Nothing(Protocol):
    class Outputs(Protocol.Outputs):
        pass

    def execute(self, directory, available_resources):
        return self.Outputs()


def test_a_second_run_of_a_protocol_is_told_who_is_at_it(tmp_path, other_process, resources, monkeypatch):
    monkeypatch.setattr(execution, "DirectoryLock", functools.partial(DirectoryLock, patience=0.2))
    told = f"{tmp_path} is in use by process {other_process.pid} on {socket.gethostname()}"
    with pytest.raises(DirectoryLockedError, match=f"^{told}$"):
        execute_in(Nothing(), tmp_path, resources)
    with pytest.raises(ExecutionError, match=f"^Nothing-.*: DirectoryLockedError: {told}$"):
        execute_task(Task.of(Nothing(), tmp_path), {}, resources)
    other_process.kill()
    other_process.wait()
    execute_in(Nothing(), tmp_path, resources)
    assert not is_locked(tmp_path)


@pytest.mark.parametrize("rubbish", ["", "{", "null", "[" * 100_000, '{"pid": 1}', "\0" * 300])
def test_a_damaged_lock_whose_holder_is_silent_is_taken_away(tmp_path, monkeypatch, rubbish):
    monkeypatch.setattr(locking, "HEARTBEAT_S", 0.05)
    (tmp_path / LOCK_NAME).write_text(rubbish)
    with DirectoryLock(tmp_path, stale_after=float("inf")):
        pass
    assert not is_locked(tmp_path)


@pytest.fixture
def quick_heart(monkeypatch):
    monkeypatch.setattr(locking, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(locking, "_heart", locking._Heart())


def test_a_damaged_lock_whose_holder_lives_is_respected(tmp_path, quick_heart):
    with DirectoryLock(tmp_path):
        (tmp_path / LOCK_NAME).write_text("rubbish")
        with pytest.raises(DirectoryLockedError, match="in use by another process"):
            DirectoryLock(tmp_path).__enter__()


def test_drafts_of_the_dead_are_removed(tmp_path):
    draft = tmp_path / f".{LOCK_NAME}.0123"
    draft.write_text("half a lo")
    assert is_locked(tmp_path)
    with DirectoryLock(tmp_path):
        assert not draft.exists()
    assert not is_locked(tmp_path)


def test_of_many_who_find_a_dead_lock_one_at_a_time_holds_it(tmp_path):
    write_lock(tmp_path, dataclasses.replace(Holder.here(), started=1.0))
    code = (
        "import os, sys, time, pathlib; from protocols.running.locking import DirectoryLock;"
        "place = pathlib.Path(sys.argv[1]);"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with DirectoryLock(place, patience=60):\n"
        "    os.mkdir(place / 'alone'); time.sleep(0.02); os.rmdir(place / 'alone')"
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 4
    assert not is_locked(tmp_path)


def test_one_thread_beats_for_all_locks_and_ends_with_them(tmp_path, quick_heart):
    before, places = set(threading.enumerate()), [tmp_path / name for name in "abc"]
    for place in places:
        place.mkdir()
    with DirectoryLock(places[0]), DirectoryLock(places[1]), DirectoryLock(places[2]):
        assert len(set(threading.enumerate()) - before) == 1
        beats = {place: (place / LOCK_NAME).stat().st_mtime_ns for place in places}
        assert wait_until(lambda: all((p / LOCK_NAME).stat().st_mtime_ns > beats[p] for p in places))
    assert wait_until(lambda: set(threading.enumerate()) <= before)


def test_a_forked_child_does_not_release_its_parents_lock(tmp_path):
    code = (
        "import os, sys, pathlib; from protocols.running.locking import DirectoryLock, is_locked;"
        "place = pathlib.Path(sys.argv[1])\n"
        "with DirectoryLock(place):\n"
        "    child = os.fork()\n"
        "    if child: os.waitpid(child, 0); print(is_locked(place))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert done.stdout == "True\n"
    assert not is_locked(tmp_path)


def test_the_lock_becomes_the_record_of_the_work(tmp_path):
    with DirectoryLock(tmp_path) as lock:
        inode = (tmp_path / LOCK_NAME).stat().st_ino
        lock.record({"finished": "now"})
        assert not (tmp_path / PROVENANCE_NAME).exists()
    assert [path.name for path in tmp_path.iterdir()] == [PROVENANCE_NAME]
    assert (tmp_path / PROVENANCE_NAME).stat().st_ino == inode  # a file less to make and to delete
    record = json.loads((tmp_path / PROVENANCE_NAME).read_text(encoding="utf-8"))
    assert record["process"]["pid"] == os.getpid()
    assert record["finished"] == "now"
    assert record["started"]


def test_work_that_fails_after_its_record_leaves_none(tmp_path):
    with pytest.raises(RuntimeError), DirectoryLock(tmp_path) as lock:
        lock.record({"finished": "now"})
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_the_record_of_one_who_died_before_unlocking_is_kept(tmp_path):
    dead = dataclasses.asdict(dataclasses.replace(Holder.here(), started=1.0))
    (tmp_path / LOCK_NAME).write_text(json.dumps({"process": dead, "finished": "then"}))
    with DirectoryLock(tmp_path):
        pass
    assert json.loads((tmp_path / PROVENANCE_NAME).read_text(encoding="utf-8"))["finished"] == "then"


def test_one_who_was_replaced_records_nothing(tmp_path):
    with DirectoryLock(tmp_path) as lock:
        write_lock(tmp_path, dataclasses.replace(Holder.here(), token="other"))
        lock.record({"finished": "now"})
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_NAME]
    assert "finished" not in (tmp_path / LOCK_NAME).read_text(encoding="utf-8")
