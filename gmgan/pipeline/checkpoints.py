"""The file that holds the state of a training, from which a killed job continues."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from gmgan.errors import GmganError
from gmgan.pipeline.artifacts import Damaged, hash_array, is_sealed, sealed
from gmgan.pipeline.files import atomic_path, set_aside
from gmgan.reading import open_regular

if TYPE_CHECKING:
    from torch import Tensor

    from gmgan.training.checkpoint import CheckpointState


@dataclass(frozen=True)
class CheckpointFile:
    """A training's checkpoint at `path`, or a file of the user's choice to go on from (`resume`).

    settings: what fingerprints cover of the training's, as JSON; origin: what else it depends on;
    difference: in words, how a stored origin differs from that. A state with others is not used.
    """

    path: Path
    settings: dict[str, Any]
    origin: Callable[[], dict[str, Any]]
    difference: Callable[[dict[str, Any]], str]
    resume: Path | None = None

    def save(self, tensors: "dict[str, Tensor]", about: dict[str, Any]) -> None:
        """Write the state of a training, whole or not at all: tensors, and a JSON object."""
        from safetensors.torch import save_file

        plain = {name: tensor.cpu() for name, tensor in tensors.items()}
        stored = {
            "settings": self.settings,
            "origin": self.origin(),
            "state": about,
            "arrays": {name: hash_array(tensor.numpy()) for name, tensor in plain.items()},
        }
        with atomic_path(self.path) as temporary:
            save_file(plain, temporary, metadata={"about": json.dumps(sealed(stored))})

    def load(self) -> "CheckpointState | None":
        """The saved state on the CPU; None if there is none that can be used.

        Raises GmganError if the file of the user's choice is missing, damaged, or was made with
        other parameters (the message lists them), other code or other data. The training's own
        checkpoint is set aside then.
        """
        path = self.resume or self.path
        if not path.exists():
            if self.resume:
                raise GmganError(f"--resume: there is no file {path}")
            return None
        open_regular(path).close()
        try:
            state = self._read(path)
        except Damaged as error:
            if self.resume:
                cure = "choose a file of results/checkpoints, or train without --resume"
                raise GmganError(f"{path} {error}; {cure}") from error
            text = f"{path} {error}: set aside as {set_aside(path).name}, training starts from zero"
            print(f"gmgan: warning: {text}", file=sys.stderr, flush=True)
            return None
        kimg = _kimg(state.about)
        print(f"gmgan: going on from {kimg:g} kimg of {path}", file=sys.stderr, flush=True)
        return state

    def _read(self, path: Path) -> "CheckpointState":
        """The state in a file. Raises Damaged if it is no state of this training."""
        from gmgan.training.checkpoint import CheckpointState

        try:
            with safe_open(path, framework="pt") as file:
                stored = json.loads((file.metadata() or {})["about"])
                if changes := differences(stored["settings"], self.settings):
                    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
                    listed = "; ".join(changes[:3]) + more
                    raise Damaged(f"was made from other parameters ({listed})")
                if difference := self.difference(stored["origin"]):
                    raise Damaged(difference)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except _NOT_OURS as error:
            raise Damaged("is no checkpoint of a training") from error
        arrays = {name: hash_array(tensor.numpy()) for name, tensor in tensors.items()}
        if not is_sealed(stored) or stored["arrays"] != arrays:
            raise Damaged("is damaged (its content is not the one that was written)")
        return CheckpointState(tensors, stored["state"], str(path))

    def kimg(self) -> float | None:
        """Thousands of images of the stored state; None if there is none that can be read."""
        try:
            open_regular(self.path).close()
            with safe_open(self.path, framework="numpy") as file:
                return _kimg(json.loads((file.metadata() or {})["about"])["state"])
        except (GmganError, *_NOT_OURS):
            return None

    def remove(self) -> None:
        """Forget the state: the training's outputs are complete."""
        self.path.unlink(missing_ok=True)


_NOT_OURS = (
    SafetensorError,
    OSError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
)


def _kimg(state: dict[str, Any]) -> float:
    history = state.get("history")
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
