"""The conformance suite's core, for backends on which the whole of it takes too long for every change."""

from __future__ import annotations

from workflow_backends.testing.base import SuiteBase
from workflow_backends.testing.contract import ContractTests
from workflow_backends.testing.faults import FaultTests
from workflow_backends.testing.lifecycle import LifecycleTests

__all__ = ["CoreConformance"]


class CoreConformance(SuiteBase):
    """Contract, futures, cancelling, exceptions, a lost worker, and a stop: tests of the suite by name."""

    test_kinds_of_callables = ContractTests.test_all_kinds_of_callables_are_taken
    test_resources = ContractTests.test_available_resources_reach_who_declares_them
    test_threads = ContractTests.test_libraries_keep_to_the_workers_threads
    test_inputs = ContractTests.test_futures_among_the_arguments_become_their_results
    test_failed_inputs = ContractTests.test_a_failed_input_fails_the_task_and_is_named
    test_asyncio = ContractTests.test_asyncio_waits_for_futures
    test_exceptions = FaultTests.test_an_exception_arrives_as_itself_with_the_workers_traceback
    test_cancelled_in_the_queue = FaultTests.test_a_queued_task_that_was_cancelled_never_starts
    test_cancelled_while_it_runs = FaultTests.test_a_running_task_that_was_cancelled_ends_with_its_children
    test_time_limit = FaultTests.test_a_time_limit_ends_what_holds_the_interpreter
    test_lost_worker = FaultTests.test_a_task_whose_worker_died_is_run_again
    test_stop = LifecycleTests.test_a_stop_is_bounded_ends_all_futures_and_leaves_nothing
