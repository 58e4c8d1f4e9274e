import numpy as np
import pytest

from protocols.dynamics.growing_file import GrowingFile
from protocols.dynamics.segments import Checkpoint, SegmentStore
from protocols.errors import CorruptFileError

HEADER = b"head"


def commit(store, number, piece):
    piece.write_bytes(bytes([65 + number]) * (number + 1))
    store.commit([f"{number}\n"], 1.0, "CPU", Checkpoint(*[np.eye(3)] * 3), piece=piece)


@pytest.fixture
def filled(tmp_path):
    store = SegmentStore(tmp_path / "segments", GrowingFile(tmp_path / "file", HEADER))
    for number in range(4):
        commit(store, number, tmp_path / "piece")
    return tmp_path


def recovered(directory):
    store = SegmentStore(directory / "segments", GrowingFile(directory / "file", HEADER))
    store.recover()
    return store


def test_pieces_follow_each_other(filled):
    assert (filled / "file").read_bytes() == b"headABBCCCDDDD"
    assert recovered(filled).trajectory_bytes == 10


def test_what_a_kill_left_behind_the_last_piece_is_written_over(filled):
    with (filled / "file").open("ab") as file:
        file.write(b"left behind by a kill")
    store = recovered(filled)
    assert store.number_of_frames == 4
    commit(store, 4, filled / "piece")
    assert (filled / "file").read_bytes() == b"headABBCCCDDDDEEEEE"


def test_what_a_kill_left_before_the_end_is_cut_off(filled):
    with (filled / "file").open("ab") as file:
        file.write(b"left behind by a kill")
    GrowingFile(filled / "file", HEADER).finish(b"done", recovered(filled).trajectory_bytes)
    assert (filled / "file").read_bytes() == b"doneABBCCCDDDD"


@pytest.mark.parametrize("content", [b"headABBCCC", b"headABBCCCDDDE", b"headABBCCCDD"])
def test_a_damaged_piece_takes_its_segment_and_what_follows_along(filled, content):
    (filled / "file").write_bytes(content)
    store = recovered(filled)
    assert store.number_of_frames == 3
    assert (filled / "segments" / "000003.corrupt-1").is_dir()
    commit(store, 3, filled / "piece")
    assert (filled / "file").read_bytes() == b"headABBCCCDDDD"


def test_without_the_file_nothing_is_left(filled, caplog):
    (filled / "file").unlink()
    store = recovered(filled)
    assert store.number_of_frames == 0
    assert f"({filled / 'file'} is missing)" in caplog.text
    commit(store, 0, filled / "piece")
    assert (filled / "file").read_bytes() == b"headA"


def test_a_header_that_was_damaged_is_replaced_at_the_end(filled):
    (filled / "file").write_bytes(b"\0\0\0\0ABBCCCDDDD")
    store = recovered(filled)
    GrowingFile(filled / "file", HEADER).finish(b"done", store.trajectory_bytes)
    assert (filled / "file").read_bytes() == b"doneABBCCCDDDD"


def test_a_piece_that_is_not_what_was_written(filled):
    file = GrowingFile(filled / "file", HEADER)
    with pytest.raises(CorruptFileError, match="file is not what was written"):
        file.check(0, 1, "another digest")
