"""What training stores to continue after an interruption, and when a checkpoint is refused."""

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from gmgan.errors import GmganError


@dataclass(frozen=True)
class CheckpointState:
    """A stored state: tensors, and what is known about them.

    about: `settings`, `history`, `snapshot_kimg`, `seconds`; name: what messages call it.
    """

    tensors: dict[str, Tensor]
    about: dict[str, Any]
    name: str = "the checkpoint"


class Checkpoint(Protocol):
    """One place for the latest state of one training."""

    def load(self) -> CheckpointState | None:
        """The stored state, None if there is none; raises GmganError if it must be refused."""

    def save(self, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        """Replace the stored state; `tensors` are contiguous, `about` is JSON-like."""


def refuse_other(
    about: dict[str, Any], settings: dict[str, Any], fingerprint: str, name: str
) -> None:
    """Raise GmganError if a checkpoint belongs to other settings (with the diff), code or data.

    about: of the checkpoint; settings (JSON-like), fingerprint: of the run; name: for the message.
    """
    changes = differences(about.get("settings", {}), settings)
    if changes:
        raise GmganError(
            f"{name} is a checkpoint of other parameters ({'; '.join(changes)}); "
            "change them back, or train without --resume"
        )
    if about.get("fingerprint") != fingerprint:
        raise GmganError(
            f"{name} is a checkpoint of other code or other data; train without --resume"
        )


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """`key: old -> new` for every setting that differs, in the order of the keys."""
    lines = []
    for key in sorted(set(before) | set(now)):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            lines.append(f"{prefix}{key}: {old} -> {new}")
    return lines
