"""What Snakemake shows of a suite: a live view on a terminal, plain lines in a log.

A handler of Snakemake's log events (snakemake-interface-logger-plugins). Snakemake's own log file
keeps every detail.
"""

import logging
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

SECONDS_BETWEEN_LINES = 15.0
TAIL = 4096  # bytes of a log that are looked at
NOISE = re.compile(
    r"(Building DAG|Select jobs to|Execute \d+ jobs|Using shell|Provided |Rules claiming|Reasons:"
    r"|Assuming unrestricted|Complete log|This was a dry-run|Exiting because|Job counts|Storing"
    r"|Removing output files|Trying to restart|Finished jobid|Would remove|Elapsed time)"
)

STOPPED = re.compile(r"Terminating processes on user request|Will exit after finishing currently")
NO_REASON = "no message; see Snakemake's log"
INTERRUPTED = "gmgan: interrupted"  # the last line of a job that a signal ended


@dataclass(frozen=True)
class Job:
    """A job as Snakemake reports it."""

    rule: str
    wildcards: Mapping[str, str]
    log: Path | None = None
    started: float = 0.0

    def __str__(self) -> str:
        return " ".join([self.rule, *self.wildcards.values()])


Expected = Callable[[Job], float | None]  # seconds, None where nothing was measured


@dataclass
class View(logging.Handler):
    """Shows the jobs of one call of Snakemake.

    title: first line of the summary. planned: the jobs that are needed, once Snakemake knows.
    expected: seconds of a job by earlier measurements, None where nothing was measured. cores: jobs
    that run at a time. quiet: only failures.
    """

    title: str
    planned: Callable[[], Iterable[Job]]
    expected: Expected
    cores: int = 1
    dry_run: bool = False
    quiet: bool = False
    stream: TextIO = sys.stderr
    running: dict[int, Job] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    interrupted: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.console = Console(file=self.stream, highlight=False, soft_wrap=True)
        self.live: Live | None = None
        self.total, self.done = 0, 0
        self.left: dict[str, Job] = {}
        self.took: dict[str, list[float]] = defaultdict(list)
        self.began = self.last_line = time.monotonic()

    def __hash__(self) -> int:  # logging keeps handlers in sets
        return id(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one event of Snakemake."""
        try:
            event = str(getattr(record, "event", "") or "").lower()
            handler = getattr(self, f"_{event}", None) if event else self._message
            if handler:
                handler(record)
        except Exception:
            self.handleError(record)

    def finish(self, page: Path | None = None) -> None:
        """End with one line; page: the report, shown if its job ran."""
        if self.live:
            self.live.stop()
            self.live = None
        if self.dry_run or not self.total:
            return
        done = f"{self.done} of {self.total} jobs done"
        done += f" in {duration(time.monotonic() - self.began)}{self._failures()}"
        if self.interrupted:
            self._print(f"interrupted: {done}; the same command goes on where it stopped")
        elif not self.quiet:
            made = f": {page}" if page and "report" in self.took else ""
            self._print(f"{done}{made}")

    # --- events -----------------------------------------------------------------------------------

    def _run_info(self, record: Any) -> None:
        if self.total:  # Snakemake says it twice
            return
        jobs = list(self.planned())
        self.total = len(jobs)
        self.left = {str(job): job for job in jobs}
        if self.dry_run:
            self._print("\n".join(summary(self.title, jobs, self.expected)))
        elif not self.quiet:
            self._print(f"{self.title}\n{counted(jobs)}")
            if self.console.is_terminal:
                self.live = Live(
                    get_renderable=self._picture, console=self.console, refresh_per_second=2
                )
                self.live.start()
            else:
                self._print(self._status())

    def _job_info(self, record: Any) -> None:
        if self.dry_run:
            return
        log = Path(record.log[0].split(" (")[0]) if record.log else None
        wildcards = dict(record.wildcards)
        self.running[record.jobid] = Job(record.rule_name, wildcards, log, time.monotonic())

    def _job_finished(self, record: Any) -> None:
        job = self.running.pop(record.job_id, None)
        if job is None:
            return
        self.done += 1
        self.left.pop(str(job), None)
        self.took[job.rule].append(time.monotonic() - job.started)
        late = time.monotonic() - self.last_line >= SECONDS_BETWEEN_LINES
        if late and not self.live and not self.quiet:
            self.last_line = time.monotonic()
            self._print(self._status())

    def _job_error(self, record: Any) -> None:
        job = self.running.pop(record.jobid, None) or Job(record.rule_name, {})
        where = f" ({job.log})" if job.log else ""
        self._fail(str(job), last_line(job.log), where)

    def _group_error(self, record: Any) -> None:
        for info in record.job_error_info:
            log = Path(info["log"][0].split(" (")[0]) if info["log"] else None
            self._fail(info["rule_name"], last_line(log), f" ({log})")

    def _fail(self, name: str, reason: str, where: str) -> None:
        """One line for a job that failed; a job that an interruption ends has not."""
        self.interrupted = self.interrupted or reason == INTERRUPTED
        if not self.interrupted:
            self.failed.append(name)
            self._print(f"failed: {name}: {reason or NO_REASON}{where}")

    def _error(self, record: Any) -> None:
        """An exception of Snakemake itself; ours is one line for each mistake."""
        text = record.getMessage()
        if "CalledProcessError" in text:
            return  # the job's own line follows
        ended = self.failed or self.interrupted
        if ended and "At least one job did not complete" in text:
            return  # each failure has its line
        ours = text.partition("gmgan: error: ")[2]
        lines = ours.partition("\nWildcards:")[0].partition("\nTraceback")[0] if ours else text
        self._print(f"gmgan: error: {lines.strip()}" if ours else lines.strip())

    def _message(self, record: Any) -> None:
        text = record.getMessage() if record.msg is not None else ""
        if STOPPED.match(text):
            if self.interrupted:
                return  # Snakemake says it twice
            self.interrupted = True
        wanted = record.levelno >= (logging.WARNING if self.quiet else logging.INFO)
        if text.strip() and wanted and not NOISE.match(text.lstrip()):
            self._print(text.rstrip())

    # --- output -----------------------------------------------------------------------------------

    def _print(self, text: str) -> None:
        self.console.print(Text(text))

    def _time_left(self) -> str:
        """By earlier measurements, else by the jobs of the same rule so far."""
        known, unknown = 0.0, False
        for job in list(self.left.values()):
            took = self.took.get(job.rule)
            seconds = self.expected(job) or (median(took) if took else None)
            known += seconds or 0
            unknown = unknown or seconds is None
        known -= sum(time.monotonic() - job.started for job in list(self.running.values()))
        if known < 1:
            return ""
        return f", {'at least' if unknown else 'about'} {duration(known / self.cores)} left"

    def _status(self) -> str:
        running = f", {len(self.running)} running" if self.running else ""
        done = f"{self.done} of {self.total} jobs done"
        return f"{done}{running}{self._failures()}{self._time_left()}"

    def _failures(self) -> str:
        return f", {len(self.failed)} failed" if self.failed else ""

    def _picture(self) -> Group:
        """What stands on the terminal now: a bar, and a line for each running job."""
        bar, table = Table.grid(), Table.grid(padding=(0, 2))
        bar.add_row(ProgressBar(total=max(self.total, 1), completed=self.done, width=40))
        for job in sorted(list(self.running.values()), key=lambda job: job.started):
            said = last_line(job.log).partition(": ")[2] if job.log else ""
            table.add_row(str(job), duration(time.monotonic() - job.started), said)
        return Group(Text(self._status()), bar, table)


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def last_line(log: Path | None) -> str:
    """The last line of a log that says something; errors of gmgan without their prefix."""
    try:
        with open(log or "", "rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    said = [line for line in lines if not re.match(r"gmgan \S+: [\d.]+ s, peak", line)]
    return said[-1].removeprefix("gmgan: error: ") if said else ""


def counted(jobs: list[Job]) -> str:
    """How many jobs there are, and how many of each stage."""
    rules = sorted(Counter(job.rule for job in jobs).items(), key=lambda rule: (-rule[1], rule[0]))
    return f"{len(jobs):,} jobs: " + ", ".join(f"{rule} {n:,}" for rule, n in rules)


def summary(title: str, jobs: list[Job], expected: Expected) -> list[str]:
    """What a dry run says, on one screen: jobs by stage, trainings by data set, expected time."""
    if not jobs:
        return [title, "nothing to do: everything is there and up to date"]
    trained: dict[str, Counter[str]] = defaultdict(Counter)
    for run in (str(job.wildcards["run"]) for job in jobs if job.rule == "train"):
        dataset, model, *_ = run.split(".")
        trained[dataset][model] += 1
    lines = [title, counted(jobs)]
    for dataset, models in sorted(trained.items())[:12]:
        each = ", ".join(f"{model} {n}" for model, n in sorted(models.items()))
        lines.append(f"  train on {dataset}: {each}")
    if len(trained) > 12:
        lines.append(f"  and on {len(trained) - 12} more data sets")
    seconds = [expected(job) for job in jobs]
    known = sum(each for each in seconds if each is not None)
    unknown = sum(each is None for each in seconds)
    took = f"{duration(known) if known >= 1 else 'under 1 s'} on one core"
    if not known:
        lines.append("no such job was measured here yet")
    elif unknown:
        never = f"{unknown:,} of {len(jobs):,} jobs were never measured here"
        lines.append(f"{never}; the others take {took} by measured times")
    else:
        lines.append(f"by measured times {took}")
    return [*lines, "more: gmgan cost (core-hours, files), snakemake -n -p (every job)"]
