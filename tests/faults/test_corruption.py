"""One file of a run is damaged: it is noticed, named and kept, and the run ends as if it had not been."""

from __future__ import annotations

import json
import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from killing import Forks, Whole, contents, fresh, set_aside, warnings

FINISHED, HALF = "simulation-NVT", "simulation-NPT"

# Damage to these cannot change a result, and nobody looks for it: what only informs, the lock of a dead
# process, the segments of a finished simulation, and checkpoints that are not the last.
HARMLESS = (
    "*/provenance.json",
    "*/progress.json",
    "*/lock.json",
    "protocols.jsonl",
    f"{FINISHED}/segments/*",
    f"{HALF}/segments/000002/checkpoint.npz",
)


@pytest.fixture(scope="module")
def half_way(forks, whole, tmp_path_factory) -> Path:
    """A run of all kinds, killed after the fourth segment of its last simulation was committed."""
    directory = fresh(tmp_path_factory.mktemp("half-way"))
    segment = f"{HALF}/segments/000003"
    [at] = [
        n
        for n, operation in enumerate(whole("everything").operations)
        if operation[-1] == segment and operation[0] == "rename"
    ]
    assert forks.run("everything", directory, at + 2, "after")["killed"]
    return directory


def _truncate(data: st.DataObject, file: Path) -> None:
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[: data.draw(st.integers(0, size - 1), "bytes that are left")])


def _flip(data: st.DataObject, file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1), "position")] ^= data.draw(st.integers(1, 255), "bits")
    file.write_bytes(content)


def _empty(data: st.DataObject, file: Path) -> None:
    file.write_bytes(b"")


def _delete(data: st.DataObject, file: Path) -> None:
    file.unlink()


def _overwrite(data: st.DataObject, file: Path) -> None:
    rubbish = st.binary(min_size=1, max_size=50) | st.sampled_from([b"null", b"[1]", b"{}", b"[" * 100_000])
    file.write_bytes(data.draw(rubbish, "rubbish"))


DAMAGES = (_truncate, _flip, _empty, _delete, _overwrite)


def _files_of(directory: Path) -> st.SearchStrategy[Path]:
    """Draw a file, as often of the unfinished simulation as of all that is finished."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    unfinished = [path for path in files if path.is_relative_to(directory / HALF)]
    return st.sampled_from(unfinished) | st.sampled_from(sorted({*files} - {*unfinished}))


def _check(forks: Forks, reference: Whole, half_way: Path, place: Path, data: st.DataObject) -> None:
    directory = fresh(place)
    shutil.copytree(half_way, directory, dirs_exist_ok=True)
    file = data.draw(_files_of(directory), "file")
    before = file.read_bytes()
    data.draw(st.sampled_from(DAMAGES), "damage")(data, file)
    damaged = file.read_bytes() if file.exists() else None
    forks.finish("everything", directory)
    name = str(file.relative_to(directory))
    harmless = any(fnmatch(name, pattern) for pattern in HARMLESS)
    ignored = {name} if harmless else set()
    expected = {name: item for name, item in reference.contents.items() if name not in ignored}
    assert contents(directory, ignored | set_aside(directory)) == expected
    if not harmless and not _means_the_same(before, damaged):
        _check_detected(directory, file, damaged)


def _means_the_same(before: bytes, after: bytes | None) -> bool:
    """Whether both are the same JSON, in which one space may be another."""
    try:
        return after is not None and bool(json.loads(before) == json.loads(after))
    except (ValueError, RecursionError):
        return False


def _check_detected(directory: Path, file: Path, damaged: bytes | None) -> None:
    if "segments" in file.parts:
        kept = file.parent.with_name(f"{file.parent.name}.corrupt-1") / file.name
    else:
        kept = file.with_name(f"{file.name}.corrupt-1")
    if damaged is not None:
        assert kept.read_bytes() == damaged
    if damaged is not None or file.name != "result.json":  # a directory without a result is just unfinished
        assert file.name in warnings(directory)


_SLOW = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.generate],
    "derandomize": True,
}


@settings(max_examples=60, **_SLOW)
@given(data=st.data())
def test_a_damaged_file_changes_nothing(forks, whole, half_way, tmp_path_factory, data) -> None:
    _check(forks, whole("everything"), half_way, tmp_path_factory.getbasetemp() / "damaged", data)


@pytest.mark.repeated
@pytest.mark.timeout(1800)
@settings(max_examples=500, **_SLOW)
@given(data=st.data())
def test_many_damaged_files_change_nothing(forks, whole, half_way, tmp_path_factory, data) -> None:
    _check(forks, whole("everything"), half_way, tmp_path_factory.getbasetemp() / "damaged", data)
