"""The page that lists what has been made: a page per suite, and comparisons."""

from datetime import datetime
from html import escape
from pathlib import Path

from gmgan.pipeline import grid
from gmgan.pipeline.files import write_text
from gmgan.pipeline.graph import Graph

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Results</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; padding: .3rem .8rem .3rem 0; vertical-align: top; }}
</style>
</head>
<body>
<main>
<h1>Results</h1>
<table>
<thead><tr><th scope="col">suite</th><th scope="col">what</th><th scope="col">runs</th>\
<th scope="col">made</th></tr></thead>
<tbody>
{suites}
</tbody>
</table>
{comparisons}
</main>
</body>
</html>
"""


def write_index(graph: Graph) -> Path:
    """Write index.html into the results folder: all pages that lie there."""
    rows = []
    for name, suite in graph.params.suites.items():
        page = graph.folder_of(name) / "report.html"
        if page.exists():
            runs = len(grid.suite_runs(graph.params, name))
            link = _link(page.relative_to(graph.results), name)
            cells = (
                f"<td>{escape(suite.title)}</td>",
                f"<td>{runs}</td>",
                f"<td>{_date(page)}</td>",
            )
            rows.append(f'<tr><th scope="row">{link}</th>{"".join(cells)}</tr>')
    pages = sorted(graph.results.glob("compare/*.html"))
    links = (f"<li>{_link(p.relative_to(graph.results), p.stem)}, {_date(p)}</li>" for p in pages)
    compared = f"<h2>Comparisons</h2>\n<ul>\n{chr(10).join(links)}\n</ul>" if pages else ""
    path = graph.results / "index.html"
    write_text(path, PAGE.format(suites="\n".join(rows), comparisons=compared))
    return path


def _link(path: Path, text: str) -> str:
    return f'<a href="{escape(path.as_posix())}">{escape(text)}</a>'


def _date(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
