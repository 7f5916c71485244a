"""The page: a Jinja template with autoescape, everything inlined."""

from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from gmgan.evaluation.metrics import metric_of


def render(template: str, **content: Any) -> str:
    """A template as one self-contained HTML document; text is escaped, figures are not."""
    folder = resources.files("gmgan.report") / "templates"
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: (folder / name).read_text()),
    )
    environment.filters["label"] = lambda metric: metric_of(metric).label
    return environment.get_template(template).render(**content)
