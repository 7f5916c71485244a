"""From a file of the results folder to the job that makes it."""

import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from gmgan.errors import GmganError
from gmgan.pipeline.graph import Graph, Job
from gmgan.pipeline.stages import STAGES

PARTS = {"run": "[^/]+", "extractor_id": "[a-z0-9.-]+"}  # others: names in params.yaml


def job_of(graph: Graph, path: Path, suite: str) -> Job:
    """The job that makes a file below the results folder; suite: for files of a suite.

    Raises GmganError if no stage makes such a file, or its run, data set or extractor does not
    exist.
    """
    if job := _maker(graph, path, suite):
        return job
    files = {template.rpartition("/")[2] for _, template, _ in _patterns()}
    similar = get_close_matches(path.name, {file for file in files if "{" not in file})
    near = [str(each) for each in map(path.with_name, similar) if _is_made(graph, each, suite)]
    cure = f"; did you mean {' or '.join(near)}?" if near else ""
    raise GmganError(f"no stage makes {path}{cure}")


def _maker(graph: Graph, path: Path, suite: str) -> Job | None:
    """The job that makes a file, None if no stage makes such a file."""
    name = path.relative_to(graph.results).as_posix()
    owner = next((s for s in graph.params.suites if name.startswith(f"{s}/")), graph.params.suite)
    name = name.removeprefix(f"{owner}/")
    for stage, _, pattern in _patterns():
        if match := pattern.fullmatch(name):
            if STAGES[stage].per == ("suite",) and owner != suite:
                raise GmganError(f"{path} is of the suite {owner}: add --config suite={owner}")
            try:
                return graph.job(stage, suite=suite, **match.groupdict())
            except GmganError as error:
                raise GmganError(f"{path}: {error}") from error
    return None


def _is_made(graph: Graph, path: Path, suite: str) -> bool:
    try:
        return _maker(graph, path, suite) is not None
    except GmganError:  # such a file of a run that does not exist, or of another suite
        return False


@cache
def _patterns() -> list[tuple[str, str, re.Pattern[str]]]:
    """(stage, path with the parts of its key in braces, pattern of such paths)."""
    patterns = []
    for stage in STAGES.values():
        for artifact in stage.writes.values():
            pattern = re.escape(artifact.path)
            for part in stage.per:
                group = f"(?P<{part}>{PARTS.get(part, '[a-z0-9-]+')})"
                pattern = pattern.replace(re.escape(f"{{{part}}}"), group)
            patterns.append((stage.name, artifact.path, re.compile(pattern)))
    return patterns
