from __future__ import annotations

import pytest

from workflow_backends import ComputeResources
from workflow_backends.engine import Pool


@pytest.mark.parametrize(
    ("wanted", "serves"),
    [
        (ComputeResources(), True),
        (ComputeResources(3), False),
        (ComputeResources(platform="Reference"), False),
        (ComputeResources(1, 1), True),
        (ComputeResources(1, 1, "CUDA"), True),
        (ComputeResources(1, 1, "HIP"), False),
        (ComputeResources(1, 1, "CUDA", "double"), False),
        (ComputeResources(1, 2), False),
    ],
)
def test_a_pool_serves_what_its_workers_have(wanted: ComputeResources, serves: bool) -> None:
    assert Pool(1, ComputeResources(2, 1, "CUDA", "mixed")).serves(wanted) is serves
