"""ParslSlurmBackend on a real SLURM of three nodes, each with eight CPUs and four stand-in GPUs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from argon_simulation import argon, finished_segments
from processes import command_line, listening, named
from real_slurm import Slurm, missing
from water_example import run_water_example

from protocols.analysis.observables import read_observable
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.graphs.protocol import inputs_of
from protocols.running.execution import execute_in
from workflow_backends import ComputeResources, ParslSlurmBackend, QueueWorkerResources, time_left
from workflow_backends.errors import EngineError, InvalidResourcesError
from workflow_backends.parsl_engine import commands, queue_executor, queue_provider
from workflow_backends.testing import BackendConformance

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Slurm]:
    if reason := missing():
        (pytest.fail if os.environ.get("REQUIRE_SLURM") else pytest.skip)(reason)
    place = Path(tempfile.mkdtemp(prefix="slurm-"))  # short, for munge's socket is in it
    try:
        with Slurm(place) as started:
            yield started
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def slurm(cluster: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """The cluster in this process's environment; no test leaves a job."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    yield cluster
    left = cluster.queue()
    if left:
        cluster.run("scancel", *left)
        _wait_until(lambda: not cluster.queue())
    assert left == []


class TestConformance(BackendConformance):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def scheduler(cls, cluster: Slurm) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in cluster.environment.items():
                patch.setenv(name, value)
            yield
        assert cluster.queue() == []

    def make_resources(self, **resources: Any) -> QueueWorkerResources:
        return QueueWorkerResources(**resources)

    def make_backend(self, workers: int = 2, **resources: Any) -> ParslSlurmBackend:
        owned = self.make_resources(**resources)
        return ParslSlurmBackend(0, workers, owned, directory=tempfile.gettempdir())


def _wait_until(condition: Callable[[], bool], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)


def _variable(name: str, seconds: float = 0.0) -> str | None:
    time.sleep(seconds)
    return os.environ.get(name)


def test_what_was_asked_for_is_granted(slurm: Slurm, tmp_path: Path) -> None:
    resources = QueueWorkerResources(
        *(3, 2), per_thread_memory_limit="1500 MB", wallclock_time_limit="1:29:10", platform="Reference"
    )
    backend = ParslSlurmBackend(
        *(1, 1, resources, "main"),
        gpu_type="a100",
        extra_script_options=["--comment=ours"],
        directory=tmp_path,
    )
    with backend:
        assert backend.submit_task(lambda available_resources: available_resources).result(60) == resources
        devices = backend.submit_task(_variable, "CUDA_VISIBLE_DEVICES").result(60)
        [job] = slurm.queue()
        granted = slurm.run("scontrol", "--details", "show", "job", job)
    assert devices is not None
    assert len(devices.split(",")) == 2
    facts = dict(re.findall(r"(\S+?)=(\S+)", granted))
    assert (facts["NumNodes"], facts["NumCPUs"], facts["MinMemoryNode"]) == ("1", "3", "4292M")
    assert (facts["TimeLimit"], facts["Partition"], facts["Comment"]) == ("01:30:00", "main", "ours")
    assert re.search(r"GRES=gpu:a100:2\(", granted)
    assert facts["OverSubscribe"] == "OK"  # not exclusive
    assert slurm.queue() == []
    assert not list(tmp_path.glob("workflow-backends-*"))


def test_workers_come_with_tasks_and_go_when_idle(slurm: Slurm, tmp_path: Path) -> None:
    with ParslSlurmBackend(0, 3, directory=tmp_path, idle_time_limit=1) as backend:
        assert slurm.queue() == []
        futures = [backend.submit_task(_variable, "SLURM_JOB_ID", 0.1) for _ in range(200)]
        jobs = {future.result(100) for future in futures}
        assert len(jobs) == 3
        _wait_until(lambda: slurm.queue() == [])
        assert backend.submit_task(_variable, "SLURM_JOB_ID").result(60) not in jobs


def test_pools_are_in_queues_of_their_own(slurm: Slurm, tmp_path: Path) -> None:
    gpu = QueueWorkerResources(2, 1, platform="Reference", wallclock_time_limit="0:20")
    cpu = QueueWorkerResources(wallclock_time_limit="0:05")
    pools = {"gpu": (1, gpu), "cpu": (2, cpu)}
    queues = {"gpu": "main", "cpu": "short"}
    names = ("SLURM_JOB_PARTITION", "CUDA_VISIBLE_DEVICES")
    with ParslSlurmBackend(
        pools=pools, queue_name=queues, gpu_type={"gpu": "a100"}, directory=tmp_path
    ) as backend:
        tasks = [
            backend.options(resources=which).submit_task(_variable, name)
            for which in (gpu, cpu)
            for name in names
        ]
        assert [task.result(60) for task in tasks] == ["main", "0", "short", None]
        states = slurm.run("squeue", "--noheader", "--format=%P %l %C %b").splitlines()
    assert sorted(" ".join(state.split()) for state in states)[0] == "main 20:00 2 gres:gpu:a100:1"
    assert all(" ".join(state.split()) == "short 5:00 1 N/A" for state in sorted(states)[1:])


def test_a_busy_worker_stays_when_an_idle_one_goes(slurm: Slurm, tmp_path: Path) -> None:
    with ParslSlurmBackend(0, 2, directory=tmp_path, idle_time_limit=1) as backend:
        long = backend.submit_task(_variable, "SLURM_JOB_ID", 15)
        short = backend.submit_task(_variable, "SLURM_JOB_ID", 1)
        assert short.result(60) != ""
        _wait_until(lambda: len(slurm.queue()) == 1)
        assert [long.result(60)] == slurm.queue()


@pytest.mark.parametrize("told", [True, False], ids=["told", "killed"])
def test_a_lost_job_loses_nothing(slurm: Slurm, tmp_path: Path, told: bool) -> None:
    marks = [tmp_path / f"go-{number}" for number in range(2)]

    def work(number: int) -> str:
        marks[number].write_text(os.environ["SLURM_JOB_ID"])
        (tmp_path / f"pool-{number}").write_text(str(os.getppid()))
        while not (tmp_path / "end").exists():
            time.sleep(0.1)
        return os.environ["SLURM_JOB_ID"]

    with ParslSlurmBackend(0, 2, directory=tmp_path) as backend:
        futures = [backend.submit_task(work, number) for number in range(2)]
        _wait_until(lambda: all(mark.exists() and mark.read_text(encoding="utf-8") for mark in marks))
        time.sleep(7)  # by now all is quiet, and the scheduler asked once a minute only
        lost = marks[0].read_text(encoding="utf-8")
        if told:
            slurm.run("scancel", lost)
        else:
            os.kill(int((tmp_path / "pool-0").read_text(encoding="utf-8")), signal.SIGKILL)
        _wait_until(
            lambda: marks[0].read_text(encoding="utf-8") not in ("", lost), 30
        )  # it runs again, as promised
        (tmp_path / "end").touch()
        jobs = [future.result(60) for future in futures]
    assert lost not in jobs
    assert jobs[1] == marks[1].read_text(encoding="utf-8")


def test_a_task_starts_only_where_it_can_end(slurm: Slurm, tmp_path: Path) -> None:
    def until_28_s_are_left() -> str:
        while (time_left() or 0.0) > 28:
            time.sleep(0.5)
        return os.environ["SLURM_JOB_ID"]

    resources = QueueWorkerResources(wallclock_time_limit="0:00:50")
    with ParslSlurmBackend(0, 1, resources, directory=tmp_path) as backend:
        with pytest.raises(
            InvalidResourcesError, match=r"time_limit: 50 s .* have less than 50 s, their wall"
        ):
            backend.options(time_limit=50)
        limited = backend.options(time_limit=28, retries=0)  # jobs have 20 s for their start
        first = limited.submit_task(until_28_s_are_left)
        second = limited.submit_task(_variable, "SLURM_JOB_ID")
        third = backend.submit_task(_variable, "SLURM_JOB_ID")
        assert first.result(60) != second.result(60) == third.result(60)
        assert "JobState=COMPLETED" in slurm.run("scontrol", "show", "job", str(first.result()))


def test_jobs_of_several_workers_and_nodes(slurm: Slurm, tmp_path: Path) -> None:
    resources = QueueWorkerResources(2, 2, platform="Reference")
    backend = ParslSlurmBackend(0, 4, resources, workers_per_node=2, nodes_per_job=2, directory=tmp_path)

    def where() -> tuple[str, str]:
        time.sleep(1)
        return os.environ["SLURMD_NODENAME"], os.environ["CUDA_VISIBLE_DEVICES"]

    with backend:
        places = {future.result(60) for future in [backend.submit_task(where) for _ in range(16)]}
        [job] = slurm.queue()
        granted = slurm.run("scontrol", "show", "job", job)
    nodes = {node for node, _ in places}
    assert len(nodes) == 2
    assert places == {(node, devices) for node in nodes for devices in ("0,1", "2,3")}  # each its own
    assert "NumNodes=2 NumCPUs=8 NumTasks=2 CPUs/Task=4" in granted


_REFUSED = {
    "unknown partition": (
        {"queue_name": "nope"},
        "sbatch refused the job: .*invalid partition specified: nope",
    ),
    "more than nodes have": (
        {"resources_per_worker": QueueWorkerResources(500)},
        "sbatch refused the job: .*More processors requested than permitted",
    ),
    "over the partition's time": (
        {"queue_name": "short"},
        "sbatch refused the job: .*Requested time limit is invalid",
    ),
}


@pytest.mark.parametrize("settings, words", _REFUSED.values(), ids=_REFUSED)
def test_what_slurm_refuses_comes_back_in_its_words(
    slurm: Slurm, tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(EngineError, match=words):
        ParslSlurmBackend(1, 1, directory=tmp_path, **settings).start()  # type: ignore[arg-type]
    with ParslSlurmBackend(0, 1, directory=tmp_path, **settings) as backend:  # type: ignore[arg-type]
        with pytest.raises(EngineError, match=words):
            backend.submit_task(abs, 1).result(60)


def test_no_slurm_on_this_machine(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="sinfo cannot be run: No such file or directory"):
        ParslSlurmBackend(directory=tmp_path).start()
    with pytest.raises(EngineError, match="sbatch cannot be run: No such file or directory"):
        ParslSlurmBackend(1, interface="lo", directory=tmp_path).start()


@pytest.fixture
def hang(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """Makes one of SLURM's commands hang, and all be given up after a second; at the end all answer again."""
    monkeypatch.setattr(commands, "_SUBMIT_S", 1.0)
    monkeypatch.setattr(commands, "_ANSWER_S", 1.0)
    monkeypatch.setattr(queue_provider, "BUSY_POLL_S", 1.0)
    monkeypatch.setattr(queue_executor, "BUSY_POLL_S", 1.0)
    place = tmp_path / "bin"
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    yield partial(slurm.hanging, place=place)
    shutil.rmtree(place)


@pytest.mark.parametrize("minimum, name", [(0, "sinfo"), (1, "sbatch")])
def test_a_command_that_hangs_fails_the_start(
    hang: Callable[[str], Path], tmp_path: Path, minimum: int, name: str
) -> None:
    hang(name)
    with pytest.raises(EngineError, match=f"{name} did not answer within 1 s: trying again"):
        ParslSlurmBackend(minimum, 1, directory=tmp_path).start()


def test_a_queue_that_never_answers_is_told_and_a_worker_works_without(
    hang: Callable[[str], Path], slurm: Slurm, tmp_path: Path
) -> None:
    squeue = hang("squeue")
    with ParslSlurmBackend(0, 1, extra_script_options=["--hold"], directory=tmp_path) as backend:
        task = backend.submit_task(abs, -1)
        with pytest.raises(EngineError, match="squeue did not answer within 1 s: trying again"):
            task.result(60)
        squeue.unlink()
    hang("squeue")
    with ParslSlurmBackend(1, 1, directory=tmp_path) as backend:
        assert backend.submit_task(time.sleep, 4).result(60) is None  # several queries fail
        squeue.unlink()


def test_a_set_up_command_that_fails_is_named(slurm: Slurm, tmp_path: Path) -> None:
    commands = ["module_of_ours load openmm"]
    with ParslSlurmBackend(0, 1, setup_script_commands=commands, directory=tmp_path) as backend:
        with pytest.raises(EngineError, match=r"FAILED .*module_of_ours: command not found"):
            backend.submit_task(abs, 1).result(100)


def test_an_address_that_workers_do_not_reach_is_named(
    slurm: Slurm, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec unshare --net {sys.executable} "$@"\n')
    python.chmod(0o755)
    backend = ParslSlurmBackend(0, 1, directory=tmp_path)
    backend._python = str(python)  # type: ignore[misc]  # whose network has nothing
    with backend:
        backend.submit_task(abs, 1)
        _wait_until(lambda: "do not reach the script's machine at tcp://127.0.0.1:" in caplog.text)
    assert "choose another of its addresses with interface=" in caplog.text


def test_jobs_in_the_queue_are_cancelled_too(slurm: Slurm, tmp_path: Path) -> None:
    with ParslSlurmBackend(0, 5, QueueWorkerResources(8), directory=tmp_path) as backend:
        for _ in range(5):
            backend.submit_task(time.sleep, 100)
        _wait_until(lambda: len(slurm.queue()) == 5)
        assert slurm.run("squeue", "-h", "-t", "pending").strip()
    assert slurm.queue() == []


def _mechanism(port: int) -> bytes:
    """Return the security of what listens on a port, from its greeting (ZMTP 3.1)."""
    greeting = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01")  # signature and version
        while len(greeting) < 32 and (more := connection.recv(64)):
            greeting += more
    return greeting[12:32].rstrip(b"\0")


def test_what_listens_is_encrypted_and_not_beyond_this_machine(slurm: Slurm, tmp_path: Path) -> None:
    before = listening()
    with ParslSlurmBackend(1, 1, directory=tmp_path) as backend:
        assert backend.submit_task(abs, -1).result(60) == 1
        heard = listening() - before
        ports = sorted(port for _, port in heard if 54000 <= port < 56000)
        assert [port // 1000 for port in ports] == [54, 55, 55, 55]  # for workers; for the interchange
        assert {_mechanism(port) for port in ports} == {b"CURVE"}
        [run] = tmp_path.glob("workflow-backends-*")
        [keys] = run.rglob("server.key_secret")
        assert [stat.S_IMODE(place.stat().st_mode) for place in (run, keys.parent)] == [0o700, 0o700]
    assert {address for address, _ in heard} <= {"127.0.0.1"}


def test_the_water_example_needs_another_backend_only(slurm: Slurm, tmp_path: Path) -> None:
    """Example 14 is example 01 with the backend, what a worker asks for and --print-job changed."""
    run_water_example(tmp_path, "14_slurm.py", {})


def _script(directory: Path, *before: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(*before, sys.executable, Path(__file__).parent / "script_to_end.py"),
            *(directory, "ParslSlurmBackend", "{}"),
        ],
        env=os.environ | {"PYTHONPATH": str(_ROOT)} | variables,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGHUP], ids=lambda n: n.name)
def test_no_job_outlives_its_script(slurm: Slurm, tmp_path: Path, number: signal.Signals) -> None:
    with _script(tmp_path) as script:
        _wait_until(lambda: len(slurm.queue()) == 5 and len(list(tmp_path.glob("running-*"))) == 3)
        assert (
            len({path.read_text(encoding="utf-8") for path in tmp_path.glob("workflow-backends-*/jobs/*.id")})
            == 5
        )
        os.killpg(script.pid, number)
        script.wait(60)
    _wait_until(lambda: slurm.queue() == [])


def test_nohup_is_respected(slurm: Slurm, tmp_path: Path) -> None:
    with _script(tmp_path, "nohup") as script:
        _wait_until(lambda: len(list(tmp_path.glob("running-*"))) == 3)
        before = set(slurm.queue())
        [canceller] = named("canceller", script.pid)
        canceller.send_signal(signal.SIGHUP)
        os.killpg(script.pid, signal.SIGHUP)
        time.sleep(2)
        assert set(slurm.queue()) == before
        script.kill()
    _wait_until(lambda: slurm.queue() == [])


def test_a_script_killed_while_it_submits_leaves_no_job(slurm: Slurm, tmp_path: Path) -> None:
    slow = tmp_path / "bin" / "sbatch"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/bash\ntouch {tmp_path}/submitting\nsleep 3\n{shutil.which("sbatch")} "$@"\n')
    slow.chmod(0o755)
    with _script(tmp_path, PATH=f"{slow.parent}:{os.environ['PATH']}") as script:
        _wait_until((tmp_path / "submitting").exists)
        script.kill()
    _wait_until(
        lambda: any(
            path.read_text(encoding="utf-8") for path in tmp_path.glob("workflow-backends-*/jobs/*.id")
        )
    )
    _wait_until(lambda: slurm.queue() == [])
    [record] = tmp_path.glob("workflow-backends-*/jobs/*.id")
    assert "JobState=CANCELLED" in slurm.run(
        "scontrol", "show", "job", record.read_text(encoding="utf-8").strip()
    )


def test_a_canceller_that_was_killed_is_replaced_at_the_end(slurm: Slurm, tmp_path: Path) -> None:
    with ParslSlurmBackend(1, 1, directory=tmp_path) as backend:
        backend.submit_task(abs, 1).result(60)
        [canceller] = [p for p in named("canceller") if str(tmp_path) in command_line(p)]
        canceller.kill()
    assert slurm.queue() == []


def _state(slurm: Slurm, job: str) -> str:
    [state] = re.findall(r"JobState=(\w+)", slurm.run("scontrol", "show", "job", job))
    return str(state)


def _heedless(mark: Path) -> str:
    """Look at no wall: a job that runs it for the first time is ended by the scheduler."""
    job = os.environ["SLURM_JOB_ID"]
    if not mark.exists():
        mark.write_text(job)
        time.sleep(600)
    return job


@pytest.mark.parametrize(
    "seconds, frames",
    [
        pytest.param(35, 120, marks=pytest.mark.timeout(300)),
        pytest.param(120, 1500, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
    ids=["24 s of work in 35 s", "5 minutes of work in 2"],
)
def test_simulations_go_on_in_further_jobs(
    slurm: Slurm, tmp_path: Path, caplog: pytest.LogCaptureFixture, seconds: int, frames: int
) -> None:
    """Two simulations leave their jobs in time, one loses its job, and a task looks at no wall at all."""
    protocols = {name: argon(tmp_path, seed, frames) for seed, name in enumerate(("cut", "exact", "lost"), 1)}
    resources = QueueWorkerResources(wallclock_time_limit=timedelta(seconds=seconds))
    jobs, heedless = tmp_path / "jobs", tmp_path / "heedless"
    jobs.touch()

    def execute(
        protocol: OpenMMSimulation, directory: Path, available_resources: ComputeResources
    ) -> OpenMMSimulation.Outputs:
        with jobs.open("a") as file:
            file.write(f"{directory.name} {os.environ['SLURM_JOB_ID']}\n")
        if directory.name == "exact":
            available_resources = ComputeResources(platform="Reference")
        outputs: OpenMMSimulation.Outputs = execute_in(protocol, directory, available_resources)
        return outputs

    def jobs_of(name: str) -> list[str]:
        lines = (line.split() for line in jobs.read_text(encoding="utf-8").splitlines())
        return [job for which, job in lines if which == name]

    with ParslSlurmBackend(0, 4, resources, directory=tmp_path) as backend:
        ignoring = backend.submit_task(_heedless, heedless)
        running = {
            name: backend.options(retries=0).submit_task(execute, protocol, tmp_path / name)
            for name, protocol in protocols.items()
        }
        _wait_until(lambda: heedless.exists() and heedless.read_text(encoding="utf-8") != "")
        over = heedless.read_text(encoding="utf-8")
        if seconds < 60:  # the least that SLURM grants; it looks for jobs whose time is over every 30 s
            slurm.run("scontrol", "update", f"JobId={over}", "EndTime=now")
        _wait_until(lambda: len(finished_segments(tmp_path / "lost")) > 0)
        slurm.run("scancel", *jobs_of("lost"))
        kept = finished_segments(tmp_path / "lost")
        outputs = {name: future.result(800) for name, future in running.items()}
        assert ignoring.result(200) != over
    steps = list(range(5, 5 * frames + 1, 5))
    for name in ("cut", "lost"):
        assert read_observable(outputs[name].observables_file, "step")[0].tolist() == steps
    assert kept.items() <= finished_segments(tmp_path / "lost").items()  # none was computed again
    whole = execute_in(
        OpenMMSimulation(**inputs_of(protocols["exact"])),
        tmp_path / "whole",
        ComputeResources(platform="Reference"),
    )
    of_both = [
        file.read_text(encoding="utf-8").splitlines()
        for file in (outputs["exact"].observables_file, whole.observables_file)
    ]
    assert [row.rpartition(",")[0] for row in of_both[0]] == of_both[1]  # but for the observer's column
    assert all(len(set(jobs_of(name))) > 1 for name in ("cut", "exact"))
    lost, *further = jobs_of("lost")
    assert further and lost not in further
    assert (_state(slurm, lost), _state(slurm, over)) == ("CANCELLED", "TIMEOUT")
    assert caplog.text.count("its block of workers was lost") == 2  # all others ended by themselves


def test_bad_input_is_refused_by_name_and_the_script_is_shown_without_slurm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "#SBATCH --mem=1908M\n" in ParslSlurmBackend(0, 4).job_script()
    with pytest.raises(InvalidResourcesError, match="minimum_number_of_workers: 3 is above maximum"):
        ParslSlurmBackend(3, 2)
