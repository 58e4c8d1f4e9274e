"""What the disk has when the power fails: files before the names that publish them, or nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from killing import Forks, Whole, contents, fresh, set_aside, warnings

RENAMES = {"rename", "replace"}
_DCD_HEADER = 276  # bytes


class Disk:
    """Follows operations and knows which files and names may not have reached the disk."""

    def __init__(self) -> None:
        self.unsynced: set[str] = set()
        self.unsynced_names: set[str] = set()

    def see(self, name: str, *paths: str) -> None:
        path = paths[-1]
        if name == "write":
            self.unsynced.add(path)
        elif name == "fsync":
            self.unsynced.discard(path)
            self.unsynced_names -= {one for one in self.unsynced_names if str(Path(one).parent) == path}
        elif name in {"unlink", "remove"}:
            self.unsynced.discard(path)
            self.unsynced_names.discard(path)
        elif name == "link" and paths[0] in self.unsynced:
            self.unsynced.add(path)
        elif name in RENAMES:
            self.unsynced = _moved(self.unsynced, *paths)
            self.unsynced_names = _moved(self.unsynced_names, *paths) | {path}

    def below(self, directory: str) -> set[str]:
        return {path for path in self.unsynced if path.startswith(f"{directory}/")}


def _moved(names: set[str], old: str, new: str) -> set[str]:
    return {new + name.removeprefix(old) if f"{name}/".startswith(f"{old}/") else name for name in names}


@pytest.mark.parametrize("kind", ["NVT", "NPT", "DCD"])
def test_a_segment_is_on_disk_before_its_name_and_its_name_before_the_next(whole, kind) -> None:
    disk, commits = Disk(), 0
    for name, *paths in whole(kind).operations:
        if name == "rename":
            assert not disk.below(paths[0])
            commits += 1
        if name == "mkdir" and paths[0].endswith("/draft"):
            assert not disk.unsynced_names & {f"simulation-{kind}/segments/{n:06d}" for n in range(commits)}
        disk.see(name, *paths)
    assert commits == 6


def test_the_directories_above_the_first_segment_are_on_disk_with_it(whole) -> None:
    operations = whole("NVT").operations
    first, second, *_ = (turn for turn, (name, *_) in enumerate(operations) if name == "rename")
    synced = {paths[0] for name, *paths in operations[first + 1 : second] if name == "fsync"}
    assert {"simulation-NVT/segments", "simulation-NVT", "."} <= synced


@pytest.mark.parametrize(("kind", "durable"), [("NVT", "simulation-NVT"), ("graph", "Table-")])
def test_a_durable_result_is_on_disk_after_its_files(whole, kind, durable) -> None:
    reference, disk, results = whole(kind), Disk(), 0
    for turn, (name, *paths) in enumerate(reference.operations):
        if name == "replace" and paths[1].startswith(durable) and paths[1].endswith("/result.json"):
            home = Path(paths[1]).parent
            files = json.loads((reference.directory / paths[1]).read_text(encoding="utf-8"))["files"]
            assert files
            assert not disk.unsynced & {paths[0], *(f"{home}/{file}" for file in files)}
            following = reference.operations[turn + 1 : turn + 3]
            assert following == [["fsync", str(home)], ["fsync", str(home.parent)]]
            results += 1
        disk.see(name, *paths)
    assert results == (1 if kind == "NVT" else 3)


def _synced_before(file: Path) -> int:
    """Return the length of what cannot be lost: a trajectory grows, and each segment waited for its piece."""
    segments = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in file.parent.glob("segments/[0-9]*/segment.json")
    ]
    if not segments or not file.name.startswith("trajectory.dcd"):
        return 0
    return _DCD_HEADER + sum(segment["trajectory_bytes"] for segment in segments)


def _cut_power(forks: Forks, whole: Whole, place: Path, at: int) -> int:
    """Stop at an operation, lose what was not synced, finish; return how many files lost something."""
    directory, disk = fresh(place), Disk()
    assert forks.run(whole.kind, directory, at)["killed"]
    for name, *paths in whole.operations[:at]:
        disk.see(name, *paths)
    lost = [directory / path for path in disk.unsynced if (directory / path).exists()]
    for file in lost:
        file.write_bytes(file.read_bytes()[: _synced_before(file)])
    forks.finish(whole.kind, directory)
    kept = set_aside(directory)
    assert contents(directory, kept) == whole.contents
    assert all(Path(name).name.partition(".corrupt-")[0] in warnings(directory) for name in kept)
    assert not any("segments" in name for name in kept)
    return len(lost)


@pytest.mark.parametrize("kind", ["graph", "NVT", "NPT", "DCD"])
def test_what_was_not_synced_is_lost_and_made_again(forks, whole, place, kind) -> None:
    reference = whole(kind)
    assert sum(_cut_power(forks, reference, place, at) for at in range(6, len(reference.operations), 9)) > 3


@pytest.mark.repeated
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["graph", "NVT", "NPT", "DCD"])
def test_what_was_not_synced_is_lost_at_every_operation(forks, whole, place, kind) -> None:
    reference = whole(kind)
    lost = [_cut_power(forks, reference, place, at) for at in range(len(reference.operations))]
    print(f"{kind}: {len(lost)} power cuts, {sum(lost)} files lost")
    assert sum(lost) > len(lost) / 4


@pytest.mark.parametrize("damage", [b"", b'{"outputs": {"va', b"\0" * 200])
def test_a_result_that_was_not_waited_for_may_be_damaged(forks, whole, place, damage) -> None:
    reference, directory = whole("graph"), place / "run"
    shutil.copytree(reference.directory, directory)
    result = min(directory.glob("Number-*/result.json"))
    result.write_bytes(damage)
    forks.finish("graph", directory)
    assert result.with_name("result.json.corrupt-1").read_bytes() == damage
    assert f"{result} cannot be used" in warnings(directory)
    result.with_name("result.json.corrupt-1").unlink()
    assert contents(directory) == reference.contents
