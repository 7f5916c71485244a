"""What the page opens with: what was trained on what, and the best model per question."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from gmgan.config.run import Run
from gmgan.config.settings import ReportSettings
from gmgan.records import DataDescription
from gmgan.report.tables import Cell, ScoreTable

# Question -> the metrics that answer it; the first one that a data set has counts.
QUESTIONS = {
    "closest to the real data": ("fid", "frechet_distance"),
    "most realistic samples": ("quality", "high_quality_share"),
    "most diverse samples": ("diversity", "modes_captured"),
    "all modes after the least training": ("kimg_to_95_modes",),
    "samples of the class asked for": ("class_accuracy",),
    "components that are classes": ("component_acc",),
    "clusters of real samples": ("cluster_acc",),
}

TRADEOFF = (
    "Quality against diversity: trained models sampled at several sigma_scale, which multiplies "
    "every covariance; up and to the right is better."
)


@dataclass(frozen=True)
class Answer:
    """The best model of a data set for one question.

    others: models that are shown to be equivalent; floor: the score of real against real samples.
    """

    dataset: str
    question: str
    metric: str
    model: str
    cell: Cell
    others: list[str]
    floor: str

    @property
    def footnote(self) -> str:
        """What other scores say against this one; empty if nothing."""
        about = f"† {self.dataset}, {self.metric} of {self.model}"
        return f"{about}: {self.cell.note}." if self.cell.note else ""


def answers(dataset: str, tables: Mapping[str, Iterable[ScoreTable]]) -> Iterator[Answer]:
    """The best model per question, by the first extractor; none where no model is the best."""
    columns = {
        metric: (table, i)
        for kind in tables.values()
        for table in reversed(list(kind))
        for i, (metric, _, _) in reversed(list(enumerate(table.columns)))
    }
    for question, metrics in QUESTIONS.items():
        column = next((columns[name] for name in metrics if name in columns), None)
        if column:
            table, i = column
            cells = {label: cells[i] for label, is_floor, cells in table.rows if not is_floor}
            best = [label for label, cell in cells.items() if cell.mark == "best"]
            floor = next((cells[i].text for _, is_floor, cells in table.rows if is_floor), "")
            if best:
                yield Answer(
                    dataset=dataset,
                    question=question,
                    metric=table.columns[i][1],
                    model=best[0],
                    cell=cells[best[0]],
                    others=[label for label, cell in cells.items() if cell.mark == "close"],
                    floor=floor,
                )


def keywords(
    settings: ReportSettings,
    runs: list[Run],
    sections: list[dict[str, Any]],
    descriptions: Mapping[str, DataDescription],
) -> dict[str, Any]:
    """Keywords of the page's template for its opening; sections: those of the data sets."""
    judges = {
        section["name"]: extractor["test_accuracy"]
        for section in sections
        for extractor in reversed(section["extractors"])
        if extractor["test_accuracy"] is not None
    }
    titles = {name: entry.title for name, entry in settings.datasets.items()}
    return {
        "sentences": what_was_done(runs, settings.titles, titles, descriptions, judges),
        "answers": [
            answer for section in sections for answer in answers(section["name"], section["tables"])
        ],
        "headline": _headline(sections),
        "glossary": load_glossary(),
    }


def as_markdown(answered: Sequence[Answer]) -> str:
    """The answers as a Markdown table, with a footnote below for each score that has a note."""
    lines = [("data", "question", "best model", "score", "metric", "real data")]
    lines.append(("---", "---", "---", "---:", "---", "---:"))
    lines += [(a.dataset, a.question, a.model, a.cell.marked, a.metric, a.floor) for a in answered]
    footnotes = "".join(f"\n{a.footnote}\n" for a in answered if a.footnote)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + footnotes


def load_glossary() -> dict[str, str]:
    """Words of the page and what they mean."""
    return yaml.safe_load((resources.files("gmgan.report") / "glossary.yaml").read_text())


def _headline(sections: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The figure of what was varied, else of the trade-off; of images where there are some."""
    for section in sorted(sections, key=lambda section: section["points"]):
        captions = {effect.name: effect.caption for effect in section["effects"]}
        captions.pop("effect-of-k", None)  # most suites have it; others ask for more
        for name, caption in {**captions, "sweep": TRADEOFF}.items():
            if name in section["figures"]:
                about = {"section": section["name"], "title": section["title"]}
                return about | {"svg": section["figures"][name], "caption": caption}
    return None


def what_was_done(
    runs: list[Run],
    titles: Mapping[str, str],
    data: Mapping[str, str],
    descriptions: Mapping[str, DataDescription],
    accuracies: Mapping[str, float],
) -> list[str]:
    """Two plain sentences: which models on which data, and how they were judged.

    titles: of models; data: titles of data sets; accuracies: of the classifier that judges, on
    held-out images, by data set (none for points and Inception).
    """
    models = list(dict.fromkeys(titles[run.model] for run in runs))
    seeds = len({run.seed for run in runs})
    on = [f"{title} ({descriptions[name].train.count:,} samples)" for name, title in data.items()]
    first = (
        f"{_listed(models)} {'were' if len(models) > 1 else 'was'} trained on {_listed(on)}, "
        f"{len(runs)} trainings with {seeds} seed{'s' if seeds > 1 else ''}."
    )
    judged = [
        f"on {data[name]} by a classifier that is right for {100 * share:.0f} % of held-out images"
        for name, share in accuracies.items()
    ]
    points = [title for name, title in data.items() if len(descriptions[name].sample_shape) == 1]
    judged += [f"on {title} in the plane itself" for title in points]
    second = f"Samples were judged {_listed(judged)}." if judged else ""
    return [first, second] if second else [first]


def _listed(names: list[str]) -> str:
    """One; one and two; one, two and three (semicolons where a name holds a comma)."""
    if len(names) < 3:
        return " and ".join(names)
    mark = "; " if any("," in name for name in names) else ", "
    return f"{mark.join(names[:-1])}{mark}and {names[-1]}"
