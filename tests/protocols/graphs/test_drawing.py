import html
import re
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pydot
import pytest

from protocols.graph import WorkflowGraph
from protocols.graphs.protocol import Protocol


class Make(Protocol):
    seed: int = 1

    class Outputs(Protocol.Outputs):
        file: Path
        size: int

    def execute(self, directory, available_resources):
        raise NotImplementedError


class Move(Protocol):
    uses_gpu: ClassVar[bool] = True

    start: Path
    steps: int = 1
    others: tuple[Path, ...] = ()

    class Outputs(Protocol.Outputs):
        file: Path

    def execute(self, directory, available_resources):
        raise NotImplementedError


@pytest.fixture
def workflow():
    first, second = Make(seed=1), Make(seed=2)
    moved = Move(start=first.output.file, steps=first.output.size)
    end = Move(start=moved.output.file, others=[file.output.file for file in (first, second, second, moved)])
    arrows = Counter(
        [
            (first, moved, "file → start"),
            (first, moved, "size → steps"),
            (moved, end, "file → start"),
            (first, end, "file → others"),
            (second, end, "file → others"),
            (moved, end, "file → others"),
        ]
    )
    return WorkflowGraph([end]), arrows


def _name(protocol):
    return (type(protocol).__name__, protocol.identity[:8])


def _unquoted(text):
    return text[1:-1].replace('\\"', '"')


def test_dot_has_a_box_a_protocol_and_an_arrow_a_wire(workflow):
    graph, arrows = workflow
    [drawn] = pydot.graph_from_dot_data(graph.to_dot())
    boxes = {box.get_name(): box for box in drawn.get_nodes() if box.get_name() != "node"}
    titles = {name: tuple(_unquoted(box.get_label()).split("\\n")) for name, box in boxes.items()}
    assert Counter(titles.values()) == Counter(map(_name, graph))
    assert {titles[name][0] for name, box in boxes.items() if box.get_style() == "filled"} == {"Move"}
    assert {titles[name][0] for name, box in boxes.items() if box.get_style() is None} == {"Make"}
    found = Counter(
        (titles[e.get_source()], titles[e.get_destination()], _unquoted(e.get_label()))
        for e in drawn.get_edges()
    )
    assert found == Counter((_name(start), _name(end), text) for start, end, text in arrows)


def test_mermaid_has_a_box_a_protocol_and_an_arrow_a_wire(workflow):
    graph, arrows = workflow
    head, style, *lines = graph.to_mermaid().splitlines()
    assert (head, style.split()[:2]) == ("flowchart TD", ["classDef", "gpu"])
    boxes, found = {}, Counter()
    for line in lines:
        if box := re.fullmatch(r'    (p\d+)\["(\w+)<br>(\w+)"\](:::gpu)?', line):
            boxes[box[1]] = (box[2], box[3])
            assert bool(box[4]) == (box[2] == "Move")
        else:
            arrow = re.fullmatch(r'    (p\d+) -->\|"(.+)"\| (p\d+)', line)
            found[boxes[arrow[1]], boxes[arrow[3]], arrow[2]] += 1
    assert Counter(boxes.values()) == Counter(map(_name, graph))
    assert found == Counter((_name(start), _name(end), text) for start, end, text in arrows)


def test_names_are_escaped():
    name = "A\"b\\n<i>#quot;&num;']-->"
    graph = WorkflowGraph([type(name, (Make,), {})()])
    [box] = pydot.graph_from_dot_data(graph.to_dot())[0].get_nodes()[1:]
    assert box.get_label().startswith(r""" "A\"b\\n<i>#quot;&num;']-->\n""".strip())
    [_, _, line] = graph.to_mermaid().splitlines()
    label = re.fullmatch(r'    p0\["([^"]+)<br>\w+"\]', line)[1]
    assert not set('"<>&') & set(label)
    assert html.unescape(label.replace("#", "&")) == name


def test_an_empty_graph_can_be_drawn():
    assert WorkflowGraph().to_mermaid().startswith("flowchart TD\n")
    assert pydot.graph_from_dot_data(WorkflowGraph().to_dot())[0].get_edges() == []
