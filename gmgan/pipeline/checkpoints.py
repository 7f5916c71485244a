"""The file that holds the state of a training, from which a killed job continues."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from gmgan.errors import GmganError
from gmgan.pipeline.artifacts import hash_array
from gmgan.pipeline.files import atomic_path
from gmgan.reading import open_regular

if TYPE_CHECKING:
    from torch import Tensor

    from gmgan.training.checkpoint import CheckpointState


@dataclass(frozen=True)
class CheckpointFile:
    """A training's checkpoint at `path`, or a file of the user's choice to go on from (`resume`).

    settings: what fingerprints cover of the training's, as JSON; a checkpoint with other settings
    is refused.
    """

    path: Path
    fingerprint: str
    settings: dict[str, Any]
    resume: Path | None = None

    def save(self, tensors: "dict[str, Tensor]", about: dict[str, Any]) -> None:
        """Write the state of a training, whole or not at all: tensors, and a JSON object."""
        from safetensors.torch import save_file

        plain = {name: tensor.cpu() for name, tensor in tensors.items()}
        stored = {
            "fingerprint": self.fingerprint,
            "settings": self.settings,
            "state": about,
            "arrays": {name: hash_array(tensor.numpy()) for name, tensor in plain.items()},
        }
        with atomic_path(self.path) as temporary:
            save_file(plain, temporary, metadata={"about": json.dumps(stored)})

    def load(self) -> "CheckpointState | None":
        """The saved state on the CPU; None if there is none.

        Raises GmganError if it is damaged, or was made with other parameters (the message lists
        them), other code or other data.
        """
        from gmgan.training.checkpoint import CheckpointState

        path = self.resume or self.path
        if not path.exists():
            if self.resume:
                raise GmganError(f"--resume: there is no file {path}")
            return None
        open_regular(path).close()
        try:
            with safe_open(path, framework="pt") as file:
                stored = _about(file)
                self._refuse_others(path, stored)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            what = "no checkpoint of a training" if self.resume else "damaged"
            raise GmganError(f"{path} is {what} ({error}); {self._cure()}") from error
        except _NOT_OURS as error:
            raise GmganError(f"{path} is no checkpoint of a training; {self._cure()}") from error
        if stored["arrays"] != {name: hash_array(t.numpy()) for name, t in tensors.items()}:
            raise GmganError(
                f"{path} is damaged (its content is not the one that was written); {self._cure()}"
            )
        kimg = _kimg(stored)
        print(f"gmgan: going on from {kimg:g} kimg of {path}", file=sys.stderr, flush=True)
        return CheckpointState(tensors, stored["state"], str(path))

    def kimg(self) -> float | None:
        """Thousands of images of the stored state; None if there is none that can be read."""
        try:
            open_regular(self.path).close()
            with safe_open(self.path, framework="numpy") as file:
                return _kimg(_about(file))
        except (GmganError, SafetensorError, OSError, *_NOT_OURS):
            return None

    def remove(self) -> None:
        """Forget the state: the training's outputs have been written."""
        self.path.unlink(missing_ok=True)

    def _refuse_others(self, path: Path, stored: dict[str, Any]) -> None:
        changes = differences(stored["settings"], self.settings)
        if changes:
            raise GmganError(
                f"{path} is a checkpoint of other parameters ({'; '.join(changes)}); "
                "change them back, or train without --resume"
            )
        if stored["fingerprint"] != self.fingerprint:
            raise GmganError(
                f"{path} is a checkpoint of other code or other data; train without --resume"
            )

    def _cure(self) -> str:
        place = "choose a file of results/checkpoints"
        return place if self.resume else "delete it and train again"


_NOT_OURS = (KeyError, ValueError, TypeError, AttributeError, RecursionError)


def _about(file: Any) -> dict[str, Any]:
    """What the header of a checkpoint holds; raises one of _NOT_OURS for any other file."""
    stored = json.loads((file.metadata() or {})["about"])
    stored["settings"].keys(), stored["arrays"].keys(), stored["fingerprint"], _kimg(stored)
    return stored


def _kimg(stored: dict[str, Any]) -> float:
    history = stored["state"].get("history")
    return float(history[-1]["kimg"]) if history else 0.0


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """`key: old -> new` for every setting that differs; `unset` is an option's neutral value."""
    lines = []
    for key in sorted(set(before) | set(now)):
        old, new = before.get(key, "unset"), now.get(key, "unset")
        if isinstance(old, dict) and isinstance(new, dict):
            lines += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            lines.append(f"{prefix}{key}: {old} -> {new}")
    return lines
