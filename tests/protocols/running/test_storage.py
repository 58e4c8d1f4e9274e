import errno
import json
import pickle
from pathlib import Path

import pytest

from protocols.errors import CorruptFileError, DiskFullError, InputError
from protocols.graphs.protocol import Protocol
from protocols.running.execution import execute_in
from protocols.running.storage import (
    RESULT_NAME,
    load_outputs,
    name_full_disk,
    read_outputs,
    write_atomically,
)


class Write(Protocol):
    text: str

    class Outputs(Protocol.Outputs):
        file: Path
        others: tuple[Path, ...]

    def execute(self, directory, available_resources):
        for name in ("one.txt", "two.txt"):
            (directory / name).write_text(self.text)
        return self.Outputs(file=directory / "one.txt", others=(directory / "two.txt",))


IDENTITY = Write(text="abc").identity


@pytest.fixture
def finished(tmp_path, resources):
    execute_in(Write(text="abc"), tmp_path, resources)
    return tmp_path


def parse(data):
    return Write.Outputs(**data)


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    file = tmp_path / "file.txt"
    write_atomically(file, "old")

    def fail(self, target):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="broken"):
        write_atomically(file, "new")
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_in_one_line(tmp_path, number):
    with pytest.raises(DiskFullError, match=f"^{tmp_path}: the disk is full .*; make space on it") as caught:
        with name_full_disk(tmp_path):
            raise OSError(number, "no")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_another_error_of_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(PermissionError), name_full_disk(tmp_path):
        raise PermissionError(errno.EACCES, "no")


@pytest.mark.parametrize("name", ["one.txt", "two.txt"])
def test_a_damaged_output_is_kept_beside_the_result_that_named_it(finished, name, caplog):
    (finished / name).write_text("abd")
    with pytest.raises(CorruptFileError, match=f"{name} is not what was written") as caught:
        read_outputs(finished, parse, IDENTITY)
    assert caught.value.path == finished / name
    assert load_outputs(finished, parse, IDENTITY) is None
    assert (finished / f"{name}.corrupt-1").read_text(encoding="utf-8") == "abd"
    assert (finished / f"{RESULT_NAME}.corrupt-1").exists()
    assert f"{finished / name} cannot be used" in caplog.text


@pytest.mark.parametrize("rubbish", ["", "null", "5", "[]", "{}", "[" * 100_000, '{"digest": 1}', "\0"])
def test_rubbish_in_a_result_is_set_aside(finished, rubbish):
    (finished / RESULT_NAME).write_text(rubbish)
    assert load_outputs(finished, parse, IDENTITY) is None
    assert (finished / f"{RESULT_NAME}.corrupt-1").read_text(encoding="utf-8") == rubbish


def test_a_number_that_changed_in_a_result_is_noticed(finished):
    data = json.loads((finished / RESULT_NAME).read_text(encoding="utf-8"))
    data["outputs"]["file"] = "two.txt"
    (finished / RESULT_NAME).write_text(json.dumps(data))
    assert load_outputs(finished, parse, IDENTITY) is None


def test_a_directory_belongs_to_one_protocol(finished, resources):
    with pytest.raises(InputError, match=r"directory: '.*' belongs to another protocol, .* of its own"):
        execute_in(Write(text="other"), finished, resources)
    assert execute_in(Write(text="abc"), finished, resources).file.read_text(encoding="utf-8") == "abc"
