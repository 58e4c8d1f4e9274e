import errno
import shutil
from pathlib import Path

import numpy as np
import pytest

from protocols.dynamics.segments import Checkpoint, SegmentStore
from protocols.errors import CorruptFileError


def checkpoint(value):
    return Checkpoint(np.full((3, 3), value), np.full((3, 3), -value), np.eye(3) * value)


@pytest.fixture
def filled(tmp_path):
    store = SegmentStore(tmp_path / "segments")
    for index in range(4):
        store.commit([f"{2 * index + 1},a\n", f"{2 * index + 2},b\n"], 1.0, "CPU", checkpoint(index + 0.1))
    return tmp_path / "segments"


def test_what_was_committed_is_recovered_exactly(filled):
    store = SegmentStore(filled)
    end = store.recover()
    assert np.array_equal(end.positions, checkpoint(3.1).positions)
    assert np.array_equal(end.velocities, checkpoint(3.1).velocities)
    assert np.array_equal(end.box, checkpoint(3.1).box)
    assert store.number_of_frames == 8
    assert [row[0] for row in store.frames().splitlines()] == list("12345678")


def test_an_empty_store_starts_from_nothing(tmp_path):
    assert SegmentStore(tmp_path / "segments").recover() is None


def test_a_draft_is_no_segment(filled):
    (filled / "000003").rename(filled / "draft")
    store = SegmentStore(filled)
    store.recover()
    assert store.number_of_frames == 6
    assert not (filled / "draft").exists()


@pytest.mark.parametrize("name", ["frames.csv", "segment.json", "checkpoint.npz"])
@pytest.mark.parametrize("damage", ["truncated", "altered", "missing"])
def test_a_damaged_last_segment_is_set_aside_and_the_one_before_goes_on(filled, name, damage):
    file = filled / "000003" / name
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-5])
    elif damage == "altered":
        file.write_bytes(b"x" + file.read_bytes()[1:])
    else:
        file.unlink()
    store = SegmentStore(filled)
    end = store.recover()
    assert store.number_of_frames == 6
    assert end.box[0, 0] == 2.1
    assert (filled / "000003.corrupt-1").is_dir()
    store.commit(["7,a\n", "8,b\n"], 1.0, "CPU", checkpoint(3.1))
    assert SegmentStore(filled).recover() is not None


def test_a_damaged_middle_takes_what_follows_with_it(filled):
    (filled / "000001" / "frames.csv").write_text("3,x\n")
    store = SegmentStore(filled)
    store.recover()
    assert store.number_of_frames <= 2
    assert (filled / "000003.corrupt-1").is_dir()


def test_only_the_last_two_checkpoints_are_kept(filled):
    assert len(list(filled.glob("*/checkpoint.npz"))) == 2


def test_frames_that_change_later_are_noticed(filled):
    store = SegmentStore(filled)
    store.recover()
    (filled / "000000" / "frames.csv").write_text("1,z\n")
    with pytest.raises(CorruptFileError, match=r"frames.csv is not what was written"):
        store.frames()


def test_a_number_that_changed_in_a_segment_is_noticed(filled, caplog):
    info = filled / "000003" / "segment.json"
    info.write_text(info.read_text(encoding="utf-8").replace('"frames": 2', '"frames": 3'))
    store = SegmentStore(filled)
    store.recover()
    assert store.number_of_frames == 6
    assert f"{info} is not what was written" in caplog.text


def test_a_checkpoint_that_a_kill_left_behind_is_dropped(filled):
    (filled / "000000" / "checkpoint.npz").write_bytes(b"old")
    assert SegmentStore(filled).recover() is not None
    assert not (filled / "000000" / "checkpoint.npz").exists()


def test_segments_after_a_missing_one_are_set_aside(filled, caplog):
    shutil.rmtree(filled / "000002")
    store = SegmentStore(filled)
    store.recover()
    assert (filled / "000003.corrupt-1").is_dir()
    assert f"000003 cannot be used ({filled / '000002'} is missing)" in caplog.text


def test_an_error_of_the_disk_that_may_pass_sets_nothing_aside(filled, monkeypatch):
    def fail(self):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match="Too many open files"):
        SegmentStore(filled).recover()
    assert sorted(path.name for path in filled.iterdir()) == [f"{n:06d}" for n in range(4)]
