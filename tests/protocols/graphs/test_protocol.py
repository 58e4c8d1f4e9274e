import os
import pickle
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest

from protocols.errors import ExecutionError, InputError
from protocols.graph import WorkflowGraph
from protocols.graphs.protocol import Protocol
from protocols.quantities import Temperature
from protocols.running.execution import execute_in
from protocols.running.storage import RESULT_NAME

CALLS: list[str] = []


class Scale(Protocol):
    value: float
    factor: float = 2.0

    class Outputs(Protocol.Outputs):
        product: float

    def execute(self, directory, available_resources):
        CALLS.append(directory.name)
        return self.Outputs(product=self.factor * self.value)


class Total(Protocol):
    values: tuple[float, ...]

    class Outputs(Protocol.Outputs):
        total: float

    def execute(self, directory, available_resources):
        return self.Outputs(total=sum(self.values))


class ReadFile(Protocol):
    file: Path
    temperature: Temperature = "300 K"

    class Outputs(Protocol.Outputs):
        copy_file: Path

    def execute(self, directory, available_resources):
        target = directory / "copy.txt"
        target.write_text(self.file.read_text(encoding="utf-8"))
        return self.Outputs(copy_file=target)


class Fail(Protocol):
    value: float

    class Outputs(Protocol.Outputs):
        value: float

    def execute(self, directory, available_resources):
        CALLS.append(directory.name)
        raise RuntimeError("it\ndoes not work")


@pytest.fixture(autouse=True)
def _no_calls():
    CALLS.clear()


def test_outputs_are_wired_by_attribute_and_equal_protocols_are_done_once(tmp_path):
    first, twin = Scale(value=3), Scale(value=3.0, factor=2)
    total = Total(values=[first.output.product, twin.output.product, 1])
    graph = WorkflowGraph([total, twin])
    outcomes = graph.execute(tmp_path)
    assert len(graph) == 2
    assert outcomes[total.identity].total == 13
    assert [first.label] == CALLS


def test_a_finished_graph_is_read_and_not_run(tmp_path):
    graph = WorkflowGraph([Total(values=[Scale(value=3).output.product])])
    graph.execute(tmp_path)
    graph.execute(tmp_path)
    assert len(CALLS) == 1


def test_unknown_outputs_and_inputs_are_refused_by_name():
    with pytest.raises(InputError, match="Scale has no output 'produkt'; its outputs are product"):
        _ = Scale(value=1).output.produkt
    with pytest.raises(
        InputError,
        match=r"valu: not an input of Scale .*'value'.*; its inputs are value, factor",
    ):
        Scale(value=1, valu=2)
    with pytest.raises(InputError, match="value: 'x' is not allowed; it must be a number"):
        Scale(value="x")


def test_identity_follows_inputs_versions_upstream_and_file_contents(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("one")
    before = ReadFile(file=file).identity
    (tmp_path / "b.txt").write_text("one")
    assert ReadFile(file=tmp_path / "b.txt").identity == before
    assert ReadFile(file=file, temperature="26.85 degC").identity == before
    assert ReadFile(file=file, temperature="301 K").identity != before
    file.write_text("two")
    assert ReadFile(file=file).identity != before
    assert Total(values=[Scale(value=1).output.product]) != Total(values=[Scale(value=2).output.product])


def test_the_source_of_a_class_outside_a_package_is_part_of_its_identity():
    def make(body):
        namespace = {"Protocol": Protocol, "__name__": "script"}
        exec(
            "class Own(Protocol):\n    value: float\n"
            f"    def execute(self, directory, available_resources):\n        return {body}\n",
            namespace,
        )
        return namespace["Own"]

    assert make("self.value + 1")(value=1).identity == make("self.value + 1")(value=1).identity
    assert make("self.value + 1")(value=1).identity != make("self.value + 2")(value=1).identity


def test_a_missing_input_file_is_named_before_anything_runs(tmp_path):
    with pytest.raises(InputError, match=r"ReadFile.file: '.*gone' cannot be read"):
        _ = ReadFile(file=tmp_path / "gone").identity


def test_a_failure_names_protocol_and_directory_in_one_line_and_is_not_cached(tmp_path):
    fail = Fail(value=1)
    after = Scale(value=fail.output.value)
    graph = WorkflowGraph([after])
    for _ in range(2):
        outcomes = graph.execute(tmp_path)
        error = outcomes[fail.identity]
        assert isinstance(error, ExecutionError)
        assert str(error) == f"{fail.label} failed in {tmp_path / fail.label}: RuntimeError: it does not work"
        assert after.identity not in outcomes
    assert [fail.label, fail.label] == CALLS
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_run_directory_can_be_moved(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("one")
    graph = WorkflowGraph([ReadFile(file=file)])
    graph.execute(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    [outputs] = graph.execute(tmp_path / "new").values()
    assert outputs.copy_file.read_text(encoding="utf-8") == "one"
    assert outputs.copy_file.is_relative_to(tmp_path / "new")


@pytest.mark.parametrize("damage", ["truncated result", "truncated file", "missing file"])
def test_a_damaged_result_is_set_aside_and_made_again(tmp_path, damage, resources):
    file = tmp_path / "a.txt"
    file.write_text("one")
    home = tmp_path / "run"
    outputs = execute_in(ReadFile(file=file), home, resources)
    if damage == "truncated result":
        (home / RESULT_NAME).write_text('{"outputs": {')
    elif damage == "truncated file":
        outputs.copy_file.write_text("o")
    else:
        outputs.copy_file.unlink()
    assert execute_in(ReadFile(file=file), home, resources).copy_file.read_text(encoding="utf-8") == "one"
    assert (home / f"{RESULT_NAME}.corrupt-1").exists()


def test_a_directory_may_be_relative(tmp_path, resources, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("one")
    outputs = execute_in(ReadFile(file="a.txt"), "run/here", resources)
    assert outputs.copy_file == tmp_path / "run" / "here" / "copy.txt"
    assert execute_in(ReadFile(file="a.txt"), "run/here", resources) == outputs


def test_an_output_outside_the_directory_is_refused(tmp_path, resources):
    class Stray(Protocol):
        class Outputs(Protocol.Outputs):
            file: Path

        def execute(self, directory, available_resources):
            return self.Outputs(file=directory.parent / "stray.txt")

    with pytest.raises(InputError, match="lies outside the protocol's directory"):
        execute_in(Stray(), tmp_path / "run", resources)


def test_a_class_of_a_script_travels_by_value():
    copy = pickle.loads(cloudpickle.dumps(Scale))
    assert copy(value=2.0).factor == 2.0


def test_a_long_chain_needs_no_deep_recursion():
    end = Scale(value=1)
    for _ in range(3000):
        end = Scale(value=end.output.product)
    assert len(WorkflowGraph([end])) == 3001


def test_provenance_lies_beside_the_result(tmp_path, resources):
    import json

    execute_in(Scale(value=1), tmp_path, resources)
    record = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))
    assert record["protocol"]["inputs"] == {"value": 1, "factor": 2}
    assert record["packages"]["openmm"]
    assert record["process"]["host"]


_TYPED_AT_A_PROMPT = """
from typing import ClassVar
from protocols import Protocol
code = '''
class Own(Protocol):
    name: str = "a"
    WORDS: ClassVar = {words}
    class Outputs(Protocol.Outputs):
        value: {kind}
    @staticmethod
    def helper(x):
        return x in {{"a", "b", "c", "d"}}
    @property
    def twice(self):
        return {twice} * 2
    def execute(self, directory, available_resources):
        return self.Outputs(value=self.helper(self.name))
'''
exec(code)
print(Own().identity)
"""


def test_a_class_without_source_text_has_one_identity_in_every_process_and_none_that_hides_a_change():
    def identity(seed, words="('x', 'y')", kind="bool", twice="1"):
        code = _TYPED_AT_A_PROMPT.format(words=words, kind=kind, twice=twice)
        code = code.replace("{{", "{").replace("}}", "}")
        run = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": str(seed)},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return run.stdout

    assert len({identity(seed) for seed in (1, 2, 3)}) == 1
    changed = [identity(1, words="('x',)"), identity(1, kind="int"), identity(1, twice="3")]
    assert len({identity(1), *changed}) == 4
