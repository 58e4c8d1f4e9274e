"""Deaths of the engine's own processes, and ends of the script that owns them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from leaks import leftovers, our_processes
from processes import descendants, named
from waiting import wait_until

from workflow_backends import ParslLocalBackend
from workflow_backends.errors import BackendStateError, EngineError

_TREE = "workflow_backends.parsl_engine"


def _manager() -> psutil.Process:
    [guard] = named(f"{_TREE}.guard")
    [manager] = guard.children()
    return manager


def test_a_killed_manager_is_replaced_and_its_tasks_run_again(
    local: ParslLocalBackend, tmp_path: Path
) -> None:
    local.submit_task(pow, 2, 5).result(20)
    futures = [local.submit_task(_note_and_sleep, tmp_path / str(n), 3.0) for n in range(2)]
    assert wait_until(lambda: len(list(tmp_path.glob("[01]"))) == 2, 20)
    manager = _manager()
    old = {process.pid for process in descendants(manager.pid)}
    manager.kill()
    assert [future.result(25) for future in futures] == ["done", "done"]
    assert not [pid for pid in old if psutil.pid_exists(pid)]


def _note_and_sleep(mark: Path, seconds: float) -> str:
    mark.touch()
    time.sleep(seconds)
    return "done"


def test_a_killed_idle_manager_does_not_swallow_the_next_task(local: ParslLocalBackend) -> None:
    local.submit_task(pow, 2, 5).result(20)
    _manager().kill()
    assert local.submit_task(pow, 2, 5).result(25) == 32


def test_a_killed_interchange_fails_every_future_and_the_backend_starts_again(
    local: ParslLocalBackend,
) -> None:
    local.submit_task(pow, 2, 5).result(20)
    futures = [local.submit_task(time.sleep, 100) for _ in range(40)]
    [interchange] = named("HTEX interchange")
    interchange.kill()
    for future in futures:
        with pytest.raises(EngineError, match=r"interchange.*logs in"):
            future.result(5)
    with pytest.raises(EngineError, match="interchange"):
        local.submit_task(pow, 2, 5).result(5)
    local.stop()
    assert local.start().submit_task(pow, 2, 5).result(20) == 32


def test_stop_cancels_what_is_queued_and_running(local: ParslLocalBackend) -> None:
    futures = [local.submit_task(time.sleep, 100) for _ in range(50)]
    local.submit_task(pow, 2, 5)
    time.sleep(3)
    local.stop()
    assert all(future.cancelled() for future in futures)
    assert not leftovers()
    with pytest.raises(BackendStateError, match="not started"):
        local.submit_task(pow, 2, 5)


def test_a_deleted_run_directory_gives_an_error_or_a_result(local: ParslLocalBackend) -> None:
    local.submit_task(pow, 2, 5).result(20)
    [directory] = leftovers()
    shutil.rmtree(directory)
    for task, argument in ((abs, -32), (os._exit, 1)):
        error = local.submit_task(task, argument).exception(60)
        assert error is None or str(directory) in str(error)


def test_a_path_with_spaces_and_other_letters(place: Path) -> None:
    spaced = place / "Ein schöner Ort"
    spaced.mkdir()
    code = """
    from workflow_backends import *
    with ParslLocalBackend() as backend:
        print(backend.submit_task(pow, 2, 5).result(20))
    """
    assert _script(code, place, TMPDIR=str(spaced)).communicate(timeout=30) == ("32\n", "")


def test_a_full_disk_gives_a_clear_error(tmp_path: Path, place: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=True)
    try:
        (place / "filler").write_bytes(b"x" * 60_000)
        code = """
        from workflow_backends import *
        from workflow_backends.errors import WorkflowBackendError
        try:
            with ParslLocalBackend() as b:
                print(b.submit_task(pow, 2, 5).result(60))
        except WorkflowBackendError as error:
            print(type(error).__name__, error)
        """
        out = _script(code, tmp_path, TMPDIR=str(place)).communicate(timeout=90)[0]
        assert "32" in out or "Error" in out, out
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


_SLEEPER = """
import time
from workflow_backends import ParslLocalBackend
backend = ParslLocalBackend(number_of_workers=2).start()
futures = [backend.submit_task(time.sleep, 1000) for _ in range(4)]
backend.options(time_limit=100)
time.sleep(4)
print("ready", flush=True)
"""


def _script(code: str, place: Path, **environment: str) -> subprocess.Popen[str]:
    path = place / "script.py"
    path.write_text(textwrap.dedent(code))
    return subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment,
        start_new_session=True,
    )


def _ours(temporary: Path) -> list[psutil.Process]:
    """The processes of a backend whose files are in a test's own folder."""
    found = []
    for process in our_processes():
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if str(temporary) in process.environ().get("TMPDIR", ""):
                found.append(process)
    return found


def test_a_tree_that_was_stopped_for_half_a_minute_loses_nothing(place: Path) -> None:
    code = """
    import time
    from workflow_backends import ParslLocalBackend
    with ParslLocalBackend(number_of_workers=2) as backend:
        backend.submit_task(pow, 2, 5).result(30)
        futures = [backend.submit_task(time.sleep, 6) for _ in range(3)]
        print("ready", flush=True)
        print([future.result(90) for future in futures], backend.submit_task(pow, 2, 5).result(20))
    """
    script = _script(code, place, TMPDIR=str(place))
    assert script.stdout is not None
    assert script.stdout.readline().strip() == "ready"
    time.sleep(2)
    tree = [psutil.Process(script.pid), *descendants(script.pid)]
    for process in tree:
        process.suspend()
    time.sleep(30)
    for process in tree:
        process.resume()
    assert script.communicate(timeout=60) == ("[None, None, None] 32\n", "")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_nothing_outlives_a_script_that_was_killed(place: Path, end: signal.Signals) -> None:
    script = _script(_SLEEPER + "time.sleep(1000)", place, TMPDIR=str(place))
    assert script.stdout is not None
    assert script.stdout.readline().strip() == "ready"
    assert wait_until(lambda: len(_ours(place)) >= 4, 15)  # the guard, the pool and two workers
    script.send_signal(end)
    script.wait(5)
    assert wait_until(lambda: not _ours(place), 15), _ours(place)


def test_nothing_outlives_a_script_that_ends_without_stop(place: Path) -> None:
    script = _script(_SLEEPER, place, TMPDIR=str(place))
    _, errors = script.communicate(timeout=30)
    assert errors == ""
    assert wait_until(lambda: not _ours(place), 15), _ours(place)
    assert not list(place.glob("workflow-backends-*"))


def test_ctrl_c_ends_everything_with_one_message(place: Path) -> None:
    code = _SLEEPER.replace("backend = ", "with ").replace(".start()", " as backend:").replace("\n", "\n    ")
    code = (
        code.replace("\n    import", "\nimport")
        .replace("\n    from", "\nfrom")
        .replace("\n    with", "\nwith")
    )
    script = _script(code + "futures[0].result()", place, TMPDIR=str(place))
    assert script.stdout is not None
    assert script.stdout.readline().strip() == "ready"
    os.killpg(script.pid, signal.SIGINT)
    _, errors = script.communicate(timeout=5)
    assert errors.count("Traceback") == 1
    assert errors.strip().endswith("KeyboardInterrupt")
    assert wait_until(lambda: not _ours(place), 1), _ours(place)


def test_a_forked_child_neither_uses_nor_stops_its_parents_backend(local: ParslLocalBackend) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            local.submit_task(pow, 2, 5)
        except BackendStateError as error:
            os.write(writer, str(error).encode())
        local.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert b"parent process" in os.read(reader, 1000)
    assert local.submit_task(pow, 2, 5).result(20) == 32
