"""Values of parameters in names of runs: `latent.sigma=0.2+training.learning_rate=0.001`.

The parameters are in alphabetical order. `A=64x32` is a list, `A=none` an empty one.
"""

import json
import re
from typing import Any

from pydantic import BaseModel, JsonValue

Values = dict[str, JsonValue]  # parameter, a dotted path -> value

NAMELESS = "{} has no place in a run's name; write a model that extends another one"
_ASSIGNMENT = re.compile(r"([a-z]\w*(?:\.[\w-]+)*)=([\w.-]+)", re.ASCII)
_LIST = re.compile(r"-?\d[\d.e-]*(x-?\d[\d.e-]*)+")
_WORD = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_EMPTY = "none"


def value_of(text: str) -> JsonValue:
    """The value that a text in a run's name or on the command line stands for."""
    if text == _EMPTY:
        return []
    if _LIST.fullmatch(text):
        return [value_of(part) for part in text.split("x")]
    try:
        return json.loads(text)
    except ValueError:
        return text


def text_of(value: Any) -> str:
    """The text of a value in a run's name; raises ValueError if it has none.

    An entry of params.yaml is called by its kind.
    """
    if isinstance(value, BaseModel) and hasattr(value, "kind"):
        return text_of(value.kind)
    if isinstance(value, list):
        return "x".join(map(text_of, value)) or _EMPTY
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float) and abs(value) < float("inf"):
        text = repr(float(value)).removesuffix(".0")
        return re.sub(r"e([+-])0*", lambda exponent: "e" + exponent[1].strip("+"), text)
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    raise ValueError(NAMELESS.format(repr(value)))


def shown(value: Any) -> int | float | str:
    """A value in tables and figures: a number, or a text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return text_of(value)
    except ValueError:
        return str(getattr(value, "kind", value))


def parse(varied: str) -> Values:
    """The values in a run's `varied`; raises ValueError if it is malformed."""
    values: Values = {}
    for part in varied.split("+") if varied else []:
        match = _ASSIGNMENT.fullmatch(part)
        if match is None:
            raise ValueError(f"expected PARAMETER=VALUE such as latent.sigma=0.2, got '{part}'")
        values[match[1]] = value_of(match[2])
    return values
