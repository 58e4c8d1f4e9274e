"""A disk that fills up in the middle of a run: one line says so, and with space again the run goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import Forks, Whole, contents

PAGE = 4096
SIZE = 400 * PAGE


@pytest.fixture
def disk(place: Path) -> Iterator[Path]:
    """A small file system of its own."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _fill_and_finish(forks: Forks, whole: Whole, disk: Path, pages: int) -> bool:
    """Run with so many pages free, then with all; return whether the disk was full."""
    directory, filler = disk / f"{pages}" / "run", disk / "filler"
    directory.mkdir(parents=True)
    filler.write_bytes(b"x" * (SIZE - _used(disk) - pages * PAGE))
    answer = forks.run(whole.kind, directory)
    filler.unlink()
    if answer["error"]:
        assert "the disk is full (No space left on device)" in answer["error"]
        assert str(directory) in answer["error"]
        assert "\n" not in answer["error"]
        assert not list(directory.rglob("lock.json"))
    forks.finish(whole.kind, directory)
    assert contents(directory) == whole.contents
    subprocess.run(["rm", "-r", str(directory.parent)], check=True)
    return bool(answer["error"])


def _used(disk: Path) -> int:
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in disk.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["graph", "NPT"])
def test_a_run_that_fills_the_disk_goes_on_when_there_is_space(forks, whole, disk, kind) -> None:
    assert [_fill_and_finish(forks, whole(kind), disk, pages) for pages in (0, 3, 8, 13, 60)] == [
        *[True] * 4,
        False,
    ]


@pytest.mark.repeated
@pytest.mark.parametrize("kind", ["graph", "NVT", "NPT"])
def test_a_disk_that_is_full_after_any_page(forks, whole, disk, kind) -> None:
    full = sum(_fill_and_finish(forks, whole(kind), disk, pages) for pages in range(60))
    print(f"{kind}: {full} full disks")
    assert full > 15


def test_progress_that_cannot_be_written_stops_nothing(forks, whole, place) -> None:
    reference, directory = whole("NVT"), place / "run"
    blocked = directory / "simulation-NVT" / "progress.json"
    blocked.mkdir(parents=True)
    forks.finish("NVT", directory)
    assert contents(directory) | {"simulation-NVT/progress.json": None} == reference.contents
