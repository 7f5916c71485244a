"""One line that says what a score is. Scores compare only where these lines agree."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gmgan.records import Score


def signed(score: Score, data: str, options: Mapping[str, Any], floor: float | None) -> Score:
    """The score with its signature, such as

    fid|v1|data:mnist|ext:mnist.classifier@1a2b3c4d|n:10000/10000|split:train|floor:0.041

    n: generated against real samples; options: settings of the metric that its name does not tell,
    after `with:`; floor: the score of real against real samples of the same counts, where known.
    """
    parts = [score.metric, f"v{score.version}", f"data:{data}"]
    known = score.extractor_hash != score.extractor
    parts.append(f"ext:{score.extractor_id}" + (f"@{score.extractor_hash[:8]}" if known else ""))
    counts = (score.n_fake, score.n_real)
    parts.append("n:" + "/".join(str(count) for count in counts if count is not None))
    parts.append(f"split:{score.split}")
    shown = {name: value for name, value in sorted(options.items()) if value is not None}
    if shown:
        parts.append("with:" + ",".join(f"{name}={value}" for name, value in shown.items()))
    if floor is not None:
        parts.append(f"floor:{floor:.3g}")
    return replace(score, signature="|".join(parts))


def floor_of(score: Score, floor: list[Score]) -> float | None:
    """The value of the same score of real samples; None if none has the same protocol."""
    same = ("metric", "version", "extractor", "extractor_hash", "split", "n_fake", "n_real")
    key = [getattr(score, name) for name in same]
    matches = (row for row in floor if [getattr(row, name) for name in same] == key)
    return next((row.value for row in matches), None)
