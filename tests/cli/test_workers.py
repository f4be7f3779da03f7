"""Work by several processes: in order, and an error where one fails.  Authority: map()."""

import os
import random
import signal
import time

import pytest

from pellucid.cli.workers import in_order
from pellucid.errors import ConfigError, DataError, PellucidError, ResourceError


def slow_square(x):
    time.sleep(random.Random(x).random() / 100)
    return x * x


@pytest.mark.parametrize("n", [1, 2, 5])
def test_results_come_in_order(n):
    assert list(in_order(n, slow_square, range(60))) == [x * x for x in range(60)]
    assert list(in_order(n, slow_square, [])) == []


def test_large_jobs_and_results_do_not_block_each_other():
    text = "x" * 1_000_000  # more than a pipe holds
    assert list(in_order(2, lambda job: job + job, [text] * 6)) == [text * 2] * 6


def test_a_result_is_given_while_the_input_waits():
    def jobs():
        yield 3
        until = time.monotonic() + 20
        while not actual and time.monotonic() < until:
            yield None
        yield 4

    actual = []
    for result in in_order(2, slow_square, jobs()):
        actual.append((result, time.monotonic()))
    assert [result for result, _ in actual] == [9, 16]


def test_few_jobs_are_read_ahead():
    def jobs():
        for x in range(1000):
            taken.append(x)
            yield x

    taken = []
    results = in_order(2, lambda x: time.sleep(5) if x == 0 else x, jobs())
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(TimeoutError):  # the first job takes longer than that
            next(results)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert 2 <= len(taken) <= 17


def _give_up(number, frame):
    raise TimeoutError


def test_an_error_is_the_parents():
    def work(x):
        if x == 5:
            raise ConfigError("five")
        return x

    actual = []
    with pytest.raises(ConfigError, match="five"):
        actual.extend(in_order(2, work, range(9)))
    with pytest.raises(PellucidError, match="ZeroDivisionError") as raised:
        list(in_order(2, lambda x: 1 // x, [0]))
    assert raised.value.exit_code == 1


def test_an_error_waits_for_all_results_before_it():
    def work(x):
        time.sleep(0.2 * (x == 0))  # job 1 fails while job 0 is still at work
        if x == 1:
            raise ConfigError("one")
        return x

    def jobs():
        yield from range(5)
        raise DataError("the input")

    results = in_order(2, work, range(9))
    assert next(results) == 0
    with pytest.raises(ConfigError, match="one"):
        next(results)
    results = in_order(2, lambda x: time.sleep(0.05) or x, jobs())
    assert [next(results) for _ in range(5)] == list(range(5))
    with pytest.raises(DataError, match="the input"):
        next(results)


@pytest.mark.timeout(30)
def test_a_dead_worker_is_an_error_and_no_hang():
    with pytest.raises(ResourceError, match="died"):
        list(in_order(2, lambda x: os.kill(os.getpid(), signal.SIGKILL), range(9)))

    def work(x):
        time.sleep(0.2 * (x == 0))
        return x if x != 1 else os.kill(os.getpid(), signal.SIGKILL)

    results = in_order(2, work, range(9))
    assert next(results) == 0
    with pytest.raises(ResourceError, match="Lines up to here are complete"):
        next(results)


def test_no_worker_is_left_behind():
    pids = set(in_order(3, lambda x: os.getpid(), range(9)))
    broken = in_order(3, lambda x: os.getpid(), range(99))
    pids.add(next(broken))
    broken.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
