import json

from rich.console import Console

from protocols.graph import WorkflowGraph
from protocols.locking import LOCK_NAME
from protocols.progress import Watcher, show_progress
from protocols.protocol import Protocol
from protocols.simulation import PROGRESS_NAME
from protocols.storage import RESULT_NAME


class Step(Protocol):
    value: float

    class Outputs(Protocol.Outputs):
        value: float

    def execute(self, directory, available_resources):
        return self.Outputs(value=self.value)


def chain():
    first = Step(value=1)
    second = Step(value=first.output.value)
    third = Step(value=second.output.value)
    return first, second, third, WorkflowGraph([third])


def touch(directory, protocol, name, text="{}"):
    (directory / protocol.label).mkdir(exist_ok=True)
    (directory / protocol.label / name).write_text(text)


def drawn(watcher):
    console = Console(width=120)
    with console.capture() as capture:
        console.print(watcher)
    return capture.get()


def test_it_counts_what_is_done_running_and_waiting_and_shows_speed(tmp_path):
    first, second, _, graph = chain()
    watcher = Watcher(graph, tmp_path)
    assert "0 done, 0 running, 3 waiting" in drawn(watcher)
    touch(tmp_path, first, RESULT_NAME)
    touch(tmp_path, second, LOCK_NAME)
    progress = {"steps_done": 25, "steps_total": 100, "ns_per_day": 43.21}
    touch(tmp_path, second, PROGRESS_NAME, json.dumps(progress))
    text = drawn(watcher)
    assert "1 done, 1 running, 1 waiting" in text
    assert "25%" in text
    assert "43.2 ns/day" in text


def test_a_damaged_progress_file_breaks_nothing(tmp_path):
    first, _, _, graph = chain()
    touch(tmp_path, first, LOCK_NAME)
    touch(tmp_path, first, PROGRESS_NAME, '{"steps_d')
    assert "1 running" in drawn(Watcher(graph, tmp_path))


def test_it_is_quiet_when_not_on_a_terminal_and_speaks_when_asked(tmp_path, capfd):
    *_, graph = chain()
    with show_progress(graph, tmp_path, wanted=None):
        pass
    assert capfd.readouterr() == ("", "")
    with show_progress(graph, tmp_path, wanted=True):
        pass
    assert "protocols" in capfd.readouterr().err
