import json
import pickle
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from protocols.analysis.observables import AverageObservable
from protocols.dynamics.segments import SegmentStore
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.errors import ExecutionError, InputError
from protocols.graph import WorkflowGraph
from protocols.graphs.conditions import Condition
from protocols.graphs.placeholders import Collected, Iteration, Previous
from protocols.graphs.protocol import Protocol
from protocols.identity import file_digest
from protocols.quantities import MassDensity, quantity
from protocols.running.execution import Task, execute_in
from protocols.running.groups import ConditionalGroup
from protocols.settings import DynamicsSettings
from protocols.state import ThermodynamicState


class Halve(Protocol):
    value: MassDensity
    seed: int = 1

    class Outputs(Protocol.Outputs):
        half: MassDensity
        log_file: Path

    def execute(self, directory, available_resources):
        (directory / "log.txt").write_text(f"{self.value.to('g/mL').magnitude:g} {self.seed}")
        return self.Outputs(half=self.value / 2, log_file=directory / "log.txt")


class Join(Protocol):
    files: tuple[Path, ...]
    end: str = ""

    class Outputs(Protocol.Outputs):
        text: str
        count: int

    def execute(self, directory, available_resources):
        parts = [file.read_text(encoding="utf-8") for file in self.files] + [self.end] * bool(self.end)
        return self.Outputs(text=", ".join(parts), count=len(self.files))


class Refuse(Protocol):
    count: int

    class Outputs(Protocol.Outputs):
        count: int

    def execute(self, directory, available_resources):
        if self.count == 2:
            raise RuntimeError("two is\ntoo many")
        return self.Outputs(count=self.count)


def halving(start="16 g/mL", limit="3 g/mL", **inputs):
    halve = Halve(value=Previous("halve.half", start=start), seed=Iteration())
    join = Join(files=Collected(halve.output.log_file))
    defaults = {
        "protocols": {"join": join, "halve": halve},
        "conditions": [Condition(halve.output.half, "less than", limit)],
        "outputs": {"density": halve.output.half, "log": halve.output.log_file, "text": join.output.text},
        "max_iterations": 20,
    }
    return ConditionalGroup(**(defaults | inputs))


def test_it_repeats_until_the_condition_holds(tmp_path, resources):
    outputs = execute_in(halving(), tmp_path, resources)
    assert (outputs.iterations, outputs.satisfied) == (3, True)
    assert outputs.density == quantity("2 g/mL")
    assert outputs.text == "16 1, 8 2, 4 3"
    [third] = tmp_path.glob("iteration-0003/Halve-*")
    assert outputs.log == third / "log.txt"
    assert len(list(tmp_path.glob("iteration-000[123]/*/result.json"))) == 6


def test_without_the_condition_it_keeps_its_value_and_says_so(tmp_path, resources):
    outputs = execute_in(halving(max_iterations=2), tmp_path, resources)
    assert (outputs.iterations, outputs.satisfied) == (2, False)
    assert outputs.density == quantity("4 g/mL")


def test_all_conditions_must_hold(tmp_path, resources):
    halve = Halve(value=Previous("halve.half", start="16 g/mL"))
    group = ConditionalGroup(
        protocols={"halve": halve},
        conditions=[
            Condition(halve.output.half, "less than", "9 g/mL"),
            Condition(halve.output.half, "less than", "3 g/mL"),
            Condition(halve.output.half, "less than", "5 g/mL"),
        ],
        outputs={},
        max_iterations=20,
    )
    assert execute_in(group, tmp_path, resources).iterations == 3


def check_in_a_graph(run):
    start = Halve(value="32 g/mL")
    limit = Halve(value="6 g/mL")
    halve = Halve(value=Previous("halve.half", start=start.output.half))
    join = Join(files=[halve.output.log_file, start.output.log_file], end="end")
    group = ConditionalGroup(
        protocols={"halve": halve, "join": join},
        conditions=[Condition(halve.output.half, "less than", limit.output.half)],
        outputs={"density": halve.output.half, "log_file": halve.output.log_file, "text": join.output.text},
        max_iterations=20,
    )
    after = Halve(value=group.output.density, seed=group.output.iterations)
    end = Join(files=[group.output.log_file], end=group.output.text)
    graph = WorkflowGraph([after, end])
    assert {protocol.label for protocol in list(graph)[:2]} == {start.label, limit.label}
    assert len(graph) == 5
    for _ in range(2):
        outcomes = run(graph)
        assert outcomes[group.identity].satisfied is True
        assert outcomes[group.identity].density == quantity("2 g/mL")
        assert outcomes[after.identity].half == quantity("1 g/mL")
        assert outcomes[after.identity].log_file.read_text(encoding="utf-8") == "2 3"
        assert outcomes[end.identity].text == "4 1, 4 1, 32 1, end"


def test_it_takes_and_gives_outputs_in_a_graph_in_this_process(tmp_path):
    check_in_a_graph(lambda graph: graph.execute(tmp_path))


def test_it_takes_and_gives_outputs_in_a_graph_on_a_backend(tmp_path, backend):
    def run(graph):
        outcomes = graph.submit(backend, tmp_path)
        return {key: item.result(60) if hasattr(item, "result") else item for key, item in outcomes.items()}

    check_in_a_graph(run)


def test_a_task_carries_no_protocol_from_upstream():
    chain = Halve(value="1 g/mL")
    for _ in range(500):
        chain = Halve(value=chain.output.half)
    group = halving(start=chain.output.half)
    copy = pickle.loads(cloudpickle.dumps(Task.of(group, Path("here"))))
    assert len(cloudpickle.dumps(copy)) < 30_000
    assert copy.provenance == group.identity_content()


def test_outputs_survive_pickling_with_their_class(tmp_path, resources):
    outputs = execute_in(halving(), tmp_path, resources)
    for copy in (pickle.loads(pickle.dumps(outputs)), pickle.loads(cloudpickle.dumps(outputs))):
        assert copy == outputs
        assert copy.density + quantity("1 g/mL") == quantity("3 g/mL")


def test_a_finished_group_is_read_with_its_types_wherever_it_lies(tmp_path, resources):
    written = execute_in(halving(), tmp_path / "old", resources)
    (tmp_path / "old").rename(tmp_path / "new")
    read = execute_in(halving(), tmp_path / "new", resources)
    assert type(read) is type(written)
    assert read.density == written.density
    assert read.log.is_relative_to(tmp_path / "new")
    assert read.log.read_text(encoding="utf-8") == "4 3"
    assert not list(tmp_path.glob("new/*.corrupt-*"))


def test_the_outputs_are_those_that_were_named():
    group = halving()
    assert list(group.output_types) == ["iterations", "satisfied", "density", "log", "text"]
    with pytest.raises(
        InputError, match="has no output 'densty'; its outputs are iterations, satisfied, density"
    ):
        _ = group.output.densty


def test_a_failure_names_member_and_iteration(tmp_path):
    halve = Halve(value=Previous("halve.half", start="16 g/mL"))
    join = Join(files=Collected(halve.output.log_file))
    refuse = Refuse(count=join.output.count)
    group = halving(
        protocols={"refuse": refuse, "join": join, "halve": halve},
        outputs={},
        conditions=[Condition(halve.output.half, "less than", "1 g/mL")],
    )
    error = WorkflowGraph([group]).execute(tmp_path)[group.identity]
    [place] = tmp_path.glob("*/iteration-0002/Refuse-*")
    assert str(error) == (
        f"{group.label} failed in {tmp_path / group.label}: ExecutionError: member 'refuse' (Refuse) in "
        f"iteration 2 failed in {place}: RuntimeError: two is too many"
    )
    assert isinstance(error, ExecutionError)
    assert not (tmp_path / group.label / "result.json").exists()


def test_a_condition_that_cannot_be_told_is_an_error_of_the_first_iteration(tmp_path, resources):
    class Weigh(Protocol):
        number: int

        class Outputs(Protocol.Outputs):
            weight: Any

        def execute(self, directory, available_resources):
            return self.Outputs(weight="heavy")

    weigh = Weigh(number=Iteration())
    group = ConditionalGroup(
        protocols={"weigh": weigh},
        conditions=[Condition(weigh.output.weight, "less than", 3)],
        outputs={},
        max_iterations=2,
    )
    with pytest.raises(
        InputError, match=r"conditions: weigh\.weight less than 3: 'heavy' and 3 cannot be compared"
    ):
        execute_in(group, tmp_path, resources)
    assert not (tmp_path / "iteration-0002").exists()


def test_nothing_that_could_change_is_refused():
    halve = Halve(value="16 g/mL")
    inputs = {
        "protocols": {"halve": halve},
        "conditions": [Condition(halve.output.half, "less than", "3 g/mL")],
        "outputs": {},
    }
    with pytest.raises(
        InputError, match="no iteration can differ from the one before; give a member Previous"
    ):
        ConditionalGroup(**inputs, max_iterations=2)
    assert ConditionalGroup(**inputs, max_iterations=1).max_iterations == 1


class Floor(Protocol):
    count: int

    class Outputs(Protocol.Outputs):
        count: int

    def execute(self, directory, available_resources):
        with (directory.parents[1] / "calls.txt").open("a") as file:
            file.write(f"{self.count} ")
        return self.Outputs(count=max(self.count - 1, 3))


def test_nothing_that_changes_any_more_is_an_error_and_a_repeated_member_is_not_executed_again(
    tmp_path, resources
):
    floor = Floor(count=Previous("floor.count", start=5))
    group = ConditionalGroup(
        protocols={"floor": floor},
        conditions=[
            Condition(floor.output.count, "less than", 3),
            Condition(floor.output.count, "less than", 9),
        ],
        outputs={},
        max_iterations=20,
    )
    with pytest.raises(
        InputError,
        match=r"iteration 4: no member has other inputs than in the iteration before, so that nothing can "
        r"change any more; not met: floor\.count less than 3$",
    ):
        execute_in(group, tmp_path, resources)
    assert (tmp_path / "calls.txt").read_text(encoding="utf-8") == "5 4 3 "


def test_identity_follows_members_conditions_and_wiring():
    group = halving()
    halve = Halve(value=Previous("halve.half", start="16 g/mL"), seed=Iteration())
    join, by_name = (Join(files=Collected(source)) for source in (halve.output.log_file, "halve.log_file"))
    outputs = {"density": halve.output.half, "log": halve.output.log_file, "text": by_name.output.text}
    same = [
        halving(start="16000 kg/m**3", limit="3000 kg/m**3"),
        halving(protocols={"halve": halve, "join": join}),
        halving(protocols={"halve": halve, "join": by_name}, outputs=outputs),
        halving(max_iterations=20.0),
    ]
    other = [
        halving(start="17 g/mL"),
        halving(limit="4 g/mL"),
        halving(max_iterations=21),
        halving(outputs={"density": halve.output.half}),
        halving(outputs={"rho": halve.output.half, "log": halve.output.log_file, "text": join.output.text}),
        halving(conditions=[Condition(halve.output.half, "greater than", "3 g/mL")]),
        halving(
            conditions=[Condition(halve.output.half, "less than", Previous("halve.half", start="3 g/mL"))]
        ),
        halving(
            protocols={"halve": halve, "join": Join(files=Collected(halve.output.log_file), end="x")},
            outputs={},
        ),
        halving(start=Halve(value="32 g/mL").output.half),
        halving(start=Halve(value="33 g/mL").output.half),
    ]
    for first in (Iteration(), Iteration(first=2), 1, 2):
        member = Halve(value=Previous("halve.half", start="16 g/mL"), seed=first)
        other.append(
            halving(
                protocols={"halve": member},
                conditions=[Condition(member.output.half, "less than", "3 g/mL")],
                outputs={},
            )
        )
    assert {item.identity for item in same} == {group.identity}
    assert len({item.identity for item in [group, *other]}) == len(other) + 1
    assert len(WorkflowGraph([group, *same])) == 1


def test_a_start_is_checked_and_identified_as_the_input_it_stands_for(tmp_path):
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("one")
    starts = [Previous("join.files", start=[str(tmp_path / name)]) for name in ("a.txt", "b.txt")]
    first, twin = (Join(files=start) for start in starts)
    assert first.identity == twin.identity
    (tmp_path / "a.txt").write_text("two")
    assert Join(files=starts[0]).identity != first.identity
    with pytest.raises(InputError, match="value: 3 K is a temperature"):
        Halve(value=Previous("halve.half", start="3 K"))


def refused(message, **inputs):
    with pytest.raises(InputError, match=message):
        halving(**inputs)


def test_members_are_refused_by_name():
    halve = Halve(value=Previous("halve.half", start="16 g/mL"), seed=Iteration())
    refused("protocols: {} is not allowed; give a dict of at least one protocol by name", protocols={})
    refused("protocols: .* is not allowed; give a dict", protocols=[halve])
    refused("protocols: 'halve' is 3; give a protocol", protocols={"halve": 3})
    refused(r"protocols: the name 'a\.b' is not allowed", protocols={"a.b": halve})
    refused("protocols: 'halve' and 'twin' are equal", protocols={"halve": halve, "twin": halve})
    refused("'group': a ConditionalGroup cannot be a member of a group", protocols={"group": halving()})
    refused(
        r"'halve\.half': the group has no member 'halve'; it has other",
        protocols={"other": halve},
        conditions=[Condition(halve.output.half, "less than", "1 g/mL")],
        outputs={},
    )
    wrong = Halve(value=Previous("halve.hlaf", start="16 g/mL"))
    refused(
        r"'halve\.hlaf': Halve has no output 'hlaf'; its outputs are half, log_file",
        protocols={"halve": wrong},
        conditions=[Condition(wrong.output.half, "less than", "1 g/mL")],
        outputs={},
    )
    outside = Halve(value="1 g/mL")
    stray = Join(files=Collected(outside.output.log_file))
    refused(
        r"Collected\('Halve-\w+\.output\.log_file'\): .* is not an output of a member; the members are join",
        protocols={"join": stray},
        conditions=[Condition(stray.output.count, "less than", 3)],
        outputs={},
    )


def test_members_that_wait_for_each_other_are_refused():
    first = Join(files=Collected("second.log_file"))
    second = Halve(value="1 g/mL", seed=first.output.count)
    refused(
        "take this iteration's outputs of each other; take one with Previous",
        protocols={"first": first, "second": second},
        conditions=[Condition(first.output.count, "greater than", 3)],
        outputs={},
    )


def test_conditions_outputs_and_limits_are_refused_by_name():
    outside = Halve(value="1 g/mL").output
    refused(r"conditions: \[\] is not allowed; give a list of at least one Condition", conditions=[])
    refused("conditions: 'converged' is not allowed", conditions="converged")
    refused(
        r"conditions: .*half less than 1 g/mL: .* is not an output of a member; the members are join, halve",
        conditions=[Condition(outside.half, "less than", "1 g/mL")],
    )
    refused("outputs: density: .* is not an output of a member", outputs={"density": outside.half})
    refused("outputs: density: 'halve.half' is not an output of a member", outputs={"density": "halve.half"})
    refused("outputs: density: 3 is not an output of a member", outputs={"density": 3})
    refused("outputs: .* is not allowed; give a dict of outputs by name", outputs=[outside.half])
    for name in ("iterations", "satisfied", "copy", "declared", "_hidden"):
        refused(f"outputs: the name '{name}' is taken", outputs={name: outside.half})
    for name in ("a b", "class", 3):
        refused(f"outputs: the name {name!r} is not allowed", outputs={name: outside.half})
    refused("max_iterations: 0 is not allowed; it must be at least 1", max_iterations=0)
    refused("maximum: not an input of ConditionalGroup", maximum=3)
    with pytest.raises(InputError, match="conditions: missing; ConditionalGroup needs it"):
        ConditionalGroup(protocols={}, outputs={}, max_iterations=3)


def test_a_placeholder_outside_of_a_group_is_refused_by_name(tmp_path, resources):
    halve = Halve(value=Previous("halve.half", start="16 g/mL"))
    message = (
        rf"{halve.label}: Previous\('halve.half'\) is known in a ConditionalGroup only; make it a member"
    )
    with pytest.raises(InputError, match=message):
        execute_in(halve, tmp_path, resources)
    between = Halve(value=halve.output.half)
    with pytest.raises(InputError, match=message):
        WorkflowGraph([between])
    join = Join(files=[between.output.log_file, halve.output.log_file], end="x")
    group = halving(
        protocols={"halve": halve, "join": join},
        conditions=[Condition(halve.output.half, "less than", "1 g/mL")],
        outputs={},
    )
    with pytest.raises(InputError, match=message):
        WorkflowGraph([group])


def test_a_protocol_that_needs_another_is_not_executed_alone(tmp_path, resources):
    start = Halve(value="1 g/mL")
    with pytest.raises(InputError, match=f"takes outputs of {start.label}; execute them in a WorkflowGraph"):
        execute_in(halving(start=start.output.half), tmp_path, resources)


def test_it_needs_what_its_members_need():
    assert (halving().uses_gpu, halving().durable) == (False, False)
    group = extending(__file__, __file__, "4 kJ/mol", 2)
    assert (group.uses_gpu, group.durable) == (True, True)


def extended(system_file, state_file, **inputs):
    return OpenMMSimulation(
        system_file=system_file,
        state_file=state_file,
        state=ThermodynamicState(temperature="130 K"),
        dynamics=DynamicsSettings(friction="10/ps", output_interval="0.1 ps", segment_time="1 ps"),
        **inputs,
    )


def extending(system_file, state_file, target, max_iterations):
    start = Previous("extend.state_file", start=state_file)
    extend = extended(system_file, start, simulated_time="2 ps", seed=Iteration(first=11))
    average = AverageObservable(
        observable="potential energy", observables_files=Collected(extend.output.observables_file)
    )
    return ConditionalGroup(
        protocols={"extend": extend, "average": average},
        conditions=[
            Condition(average.output.standard_error, "less than", target),
            Condition(average.output.n_effective, "greater than", 30),
        ],
        outputs={"energy": average.output.value, "error": average.output.standard_error},
        max_iterations=max_iterations,
    )


def iterations_of(directory, kind):
    """Outputs and inputs of a member in each iteration, as they lie on the disk."""
    homes = sorted(path.parent for path in directory.glob(f"iteration-*/{kind}-*/result.json"))
    outputs = [json.loads((home / "result.json").read_text(encoding="utf-8"))["outputs"] for home in homes]
    return outputs, [
        json.loads((home / "provenance.json").read_text(encoding="utf-8"))["protocol"]["inputs"]
        for home in homes
    ]


def test_a_simulation_is_extended_until_its_average_is_good_enough(tmp_path, argon_box, resources):
    target = quantity("4 kJ/mol")
    relaxed = extended(argon_box.system_file, argon_box.state_file, simulated_time="10 ps")
    group = extending(argon_box.system_file, relaxed.output.state_file, target, 20)
    outputs = WorkflowGraph([group]).execute(tmp_path, resources)[group.identity]
    [home] = tmp_path.glob("ConditionalGroup-*")
    assert outputs.satisfied
    averages, _ = iterations_of(home, "AverageObservable")
    errors = [quantity(average["standard_error"]) for average in averages]
    enough = [average["n_effective"] > 30 for average in averages]
    met = [error < target and samples for error, samples in zip(errors, enough, strict=True)]
    assert met == [False] * (outputs.iterations - 1) + [True]
    assert outputs.iterations > 1
    assert outputs.error == errors[-1]
    assert -600 < outputs.energy.to("kJ/mol").magnitude < -400
    simulations, inputs = iterations_of(home, "OpenMMSimulation")
    assert [item["seed"] for item in inputs] == list(range(11, 11 + outputs.iterations))
    [first] = home.glob("iteration-0001/OpenMMSimulation-*")
    assert inputs[1]["state_file"]["file"] == file_digest(first / simulations[0]["state_file"])


def test_an_interrupted_simulation_of_a_group_goes_on_from_its_checkpoint(
    tmp_path, argon_box, resources, monkeypatch
):
    group = extending(argon_box.system_file, argon_box.state_file, "1e-9 kJ/mol", 2)
    commit, committed = SegmentStore.commit, []

    def commit_three(self, *args, **more):
        commit(self, *args, **more)
        committed.append(self)
        if len(committed) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(SegmentStore, "commit", commit_three)
    with pytest.raises(KeyboardInterrupt):
        execute_in(group, tmp_path, resources)
    assert execute_in(group, tmp_path, resources).iterations == 2
    assert len(committed) == 4
