"""Progress: lines in a log, a bar on a terminal."""

import io

from gmgan.runtime.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_few_plain_lines():
    log = io.StringIO()
    with Progress(3.0, "a run", "kimg", stream=log) as progress:
        for _ in range(1000):
            progress.update(0.003, "D 1.0")
    assert log.getvalue() == "a run: 3 of 3 kimg  D 1.0\n"


def test_large_counts_have_all_their_digits():
    log = io.StringIO()
    with Progress(10_000, "features", "images", stream=log) as progress:
        progress.update(10_000)
    assert log.getvalue() == "features: 10,000 of 10,000 images\n"


def test_a_terminal_gets_a_bar():
    terminal = Terminal()
    with Progress(3.0, "a run", "kimg", start=1.0, stream=terminal) as progress:
        for _ in range(20):
            progress.update(0.1, "D 1.0")
    last = terminal.getvalue().split("\r")[-1]
    assert "a run 100% |" in last
    assert "3 of 3 kimg" in last
    assert "D 1.0" in last


def test_a_failure_claims_no_end():
    log = io.StringIO()
    try:
        with Progress(3.0, "a run", "kimg", stream=log):
            raise ValueError
    except ValueError:
        pass
    assert log.getvalue() == ""
