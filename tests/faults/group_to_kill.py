"""Run a group in the directory given; its member dies once, with the process, in the third iteration."""

import os
import signal
import sys
from pathlib import Path

from protocols import Collected, Condition, ConditionalGroup, Previous, Protocol, WorkflowGraph


class Add(Protocol):
    value: int
    log: str

    class Outputs(Protocol.Outputs):
        total: int

    def execute(self, directory, available_resources):
        with Path(self.log).open("a", encoding="utf-8") as file:
            file.write(f"add {self.value}\n")
        return self.Outputs(total=self.value + 1)


class Sum(Protocol):
    values: tuple[int, ...]
    log: str

    class Outputs(Protocol.Outputs):
        total: int

    def execute(self, directory, available_resources):
        with Path(self.log).open("a", encoding="utf-8") as file:
            file.write(f"sum {' '.join(map(str, self.values))}\n")
        if self.values == (1, 2, 3) and not (directory / "died").exists():
            (directory / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.Outputs(total=sum(self.values))


def main(directory: Path) -> None:
    log = str(directory / "log.txt")
    add = Add(value=Previous("add.total", start=0), log=log)
    total = Sum(values=Collected(add.output.total), log=log)
    group = ConditionalGroup(
        protocols={"add": add, "sum": total},
        conditions=[Condition(total.output.total, "greater than", 9)],
        outputs={"total": total.output.total},
        max_iterations=10,
    )
    outputs = WorkflowGraph([group]).execute(directory)[group.identity]
    print(outputs.iterations, outputs.satisfied, outputs.total)


main(Path(sys.argv[1]))
