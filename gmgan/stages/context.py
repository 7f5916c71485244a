"""What every stage needs: params, places, expected fingerprints, and data once prepared."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gmgan.config import Params
from gmgan.errors import GmganError
from gmgan.pipeline.artifacts import provenance, read_arrays, read_json
from gmgan.pipeline.fingerprints import Fingerprints
from gmgan.pipeline.grid import Paths, Run
from gmgan.runtime import gpu


@dataclass
class Context:
    """The project as a stage sees it."""

    params: Params
    paths: Paths

    @cached_property
    def expected(self) -> Fingerprints:
        return Fingerprints(self.params)

    def source_of(self, dataset: str) -> str:
        """The entry that owns a data set's prepared data."""
        self.params.lookup("datasets", dataset)
        return self.params.source_names[dataset]

    def data(self, dataset: str, names=None) -> dict:
        """Prepared arrays of a data set: train, train_labels, test, test_labels."""
        source = self.source_of(dataset)
        arrays, about = read_arrays(self.paths.data(source), names)
        self.refuse_stale(self.paths.data(source), about, self.expected.data(source))
        return arrays

    def data_about(self, dataset: str) -> dict:
        """Description of a data set's prepared data: classes, counts, hash."""
        return read_json(self.paths.data_about(self.source_of(dataset)))

    def refuse_stale(self, path, about: dict, expected: str):
        """Raise GmganError if an artifact was made from other parameters or other code."""
        if about.get("fingerprint") != expected:
            raise GmganError(
                f"{path} was made from other parameters or other code; make it again "
                f"(snakemake --cores 1 {path})"
            )

    def device(self):
        """The torch device chosen in params.yaml, one GPU at most; makes torch deterministic."""
        from gmgan.runtime.torch_setup import use

        execution = self.params.execution
        if execution.device != "cpu":
            gpu.take_share(execution.gpu_slots)
        return use(execution.device, execution.threads)

    def status_of(self, run: Run) -> str:
        """`ok`, or why a run has no usable weights."""
        about = read_json(self.paths.train_about(run))
        self.refuse_stale(self.paths.train_about(run), about, self.expected.train(run))
        return about["status"]

    def stamp(self, fingerprint: str, **more) -> dict:
        """The description that is stored with an artifact."""
        return {"fingerprint": fingerprint, **more, "provenance": provenance()}


class Archives:
    """Where raw files are looked for: the project, GMGAN_MIRROR, then earlier downloads.

    Call with a relative path for an existing file or folder, or None. New downloads go below
    `downloads`.
    """

    def __init__(self, downloads: Path):
        self.downloads = Path(downloads)
        mirror = os.environ.get("GMGAN_MIRROR")
        self.places = [Path("."), *([Path(mirror)] if mirror else []), self.downloads]
        if mirror and not Path(mirror).is_dir():
            raise GmganError(f"GMGAN_MIRROR is {mirror}, which is no folder; correct or unset it")

    def __call__(self, name: str) -> Path | None:
        for place in self.places:
            if (place / name).exists():
                return place / name
        return None
