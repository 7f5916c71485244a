"""What training stores to continue after an interruption."""

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor


@dataclass(frozen=True)
class CheckpointState:
    """A stored state: tensors, and what is known about them.

    about: `history`, `snapshot_kimg`, `seconds`; name: its name in messages.
    """

    tensors: dict[str, Tensor]
    about: dict[str, Any]
    name: str = "the checkpoint"


class Checkpoint(Protocol):
    """Storage for the latest state of one training."""

    def load(self) -> CheckpointState | None:
        """The stored state, None if there is none; raises GmganError if it must be refused."""

    def save(self, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        """Replace the stored state; `tensors` are contiguous, `about` is JSON-like."""
