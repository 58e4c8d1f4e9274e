import dataclasses
import json
import os
import subprocess
import sys
import threading

import pytest

from protocols.errors import DirectoryLockedError
from protocols.locking import LOCK_NAME, DirectoryLock, Holder


def write_lock(directory, holder):
    (directory / LOCK_NAME).write_text(json.dumps(dataclasses.asdict(holder)))


def test_the_second_run_is_told_who_holds_the_directory(tmp_path):
    told = f"{tmp_path} is in use by process {os.getpid()} on "
    with DirectoryLock(tmp_path), pytest.raises(DirectoryLockedError, match=told):
        DirectoryLock(tmp_path).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_dead_process_is_taken_over_at_once(tmp_path):
    code = (
        "import os, sys, pathlib; from protocols.locking import DirectoryLock;"
        "DirectoryLock(pathlib.Path(sys.argv[1])).__enter__(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / LOCK_NAME).exists()
    with DirectoryLock(tmp_path, stale_after=float("inf")):
        pass


HOLD_UNTIL_TOLD = (
    "import sys, pathlib; from protocols.locking import DirectoryLock;"
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
