"""Functions called in forks."""

import os
import sys

import pytest

from gmgan.errors import GmganError
from gmgan.runtime.parallel import in_parallel


def test_results_come_in_order():
    functions = [lambda i=i: i**2 for i in range(20)]
    expected = [i**2 for i in range(20)]
    for processes in (0, 1, 3):
        assert in_parallel(functions, processes) == expected
    assert in_parallel([], 3) == []


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
def test_functions_run_in_other_processes():
    assert os.getpid() not in in_parallel([os.getpid] * 4, 2)


def test_errors_arrive_as_they_are():
    def fail():
        raise GmganError("no such table")

    with pytest.raises(GmganError, match="no such table"):
        in_parallel([fail, fail], 2)
