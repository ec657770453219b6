import threading
from collections.abc import Callable
from dataclasses import replace

from labkit.aws.records import FunctionRecord, InvocationResult
from labkit.cloud.functions.asynchronous import EventQueue
from labkit.cloud.functions.errors import TooManyRequests

OK, FAILED = InvocationResult(b"1"), InvocationResult(b"{}", "Unhandled")


class Attempts:
    def __init__(self, *results: InvocationResult | Exception) -> None:
        self.results = list(results)
        self.made: list[str] = []
        self.errors: list[BaseException] = []

    def __call__(self, function: FunctionRecord, payload: bytes, request_id: str) -> InvocationResult:
        self.made.append(request_id)
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


def run(bench, until: Callable[..., None], attempts: Attempts, count: int) -> None:  # type: ignore[no-untyped-def]
    queue = EventQueue(attempts, failed=attempts.errors.append, retry_seconds=(0.0, 0.0))
    queue.submit(bench.function("pass"), b"1", "id")
    until(lambda: len(attempts.made) == count or attempts.errors, what="the attempts")
    queue.close()
    assert attempts.made == ["id"] * count


def test_success_is_not_repeated(bench, until) -> None:  # type: ignore[no-untyped-def]
    run(bench, until, Attempts(OK), 1)


def test_failure_is_repeated_twice(bench, until) -> None:  # type: ignore[no-untyped-def]
    """AWS Lambda, "How Lambda handles errors and retries with asynchronous invocation"."""
    run(bench, until, Attempts(FAILED, FAILED, FAILED, OK), 3)


def test_a_failing_event_comes_again_as_often_as_its_function_says(bench, until) -> None:  # type: ignore[no-untyped-def]
    """Lambda API reference, PutFunctionEventInvokeConfig: MaximumRetryAttempts."""
    attempts, function = Attempts(FAILED, FAILED, OK), replace(bench.function("pass"), retries=1)
    queue = EventQueue(attempts, failed=attempts.errors.append, retry_seconds=(0.0, 0.0))
    queue.submit(function, b"1", "id")
    until(lambda: len(attempts.made) == 2, what="the attempts")
    queue.close()
    assert attempts.made == ["id", "id"]


def test_success_ends_the_repeats(bench, until) -> None:  # type: ignore[no-untyped-def]
    run(bench, until, Attempts(FAILED, OK), 2)


def test_a_throttled_event_waits_and_counts_as_no_failure(bench, until) -> None:  # type: ignore[no-untyped-def]
    """AWS Lambda, "How Lambda handles errors and retries with asynchronous invocation": throttling."""
    run(bench, until, Attempts(TooManyRequests(reserved=False), FAILED, FAILED, FAILED), 4)


def test_trouble_of_ours_is_told(bench, until) -> None:  # type: ignore[no-untyped-def]
    attempts = Attempts(OSError("no"))
    run(bench, until, attempts, 1)
    assert [str(error) for error in attempts.errors] == ["no"]


def test_close_waits_for_what_runs(bench, until) -> None:  # type: ignore[no-untyped-def]
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def attempt(*_: object) -> InvocationResult:
        begun.set()
        may_end.wait(10)
        ended.set()
        return OK

    queue = EventQueue(attempt, failed=lambda _: None)
    queue.submit(bench.function("pass"), b"1", "id")
    begun.wait(10)
    threading.Timer(0.02, may_end.set).start()
    queue.close()
    assert ended.is_set()
