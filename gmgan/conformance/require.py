"""What the checks of all kinds of plug-ins share."""

from itertools import count
from typing import Any, TypeVar

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn

from gmgan.errors import GmganError

Entry = TypeVar("Entry", bound=BaseModel)
other_seeds = count(1000)  # of torch's own generator: nothing may depend on them


def require(condition: Any, message: str) -> None:
    """Raise GmganError with a message unless a condition holds."""
    if not condition:
        raise GmganError(message)


def entry_of(kind: type[Entry], *place: str, **fields: Any) -> Entry:
    """The entry of params.yaml with these fields; raises GmganError for a wrong one."""
    try:
        return kind.model_validate({"kind": "checked:plugin", **fields})
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(map(str, (*place, *mistake["loc"])))
        raise GmganError(f"{where}: {mistake['msg']}") from error


def check_tensor(
    name: str, given: Any, shape: tuple[int, ...], dtype: torch.dtype = torch.float32
) -> None:
    """Require a finite tensor of this shape and type."""
    require(torch.is_tensor(given), f"{name} is of type {type(given).__name__}, expected a tensor")
    text = f"{name} is {given.dtype} {list(given.shape)}, expected {dtype} {list(shape)}"
    require(given.dtype == dtype and given.shape == shape, text)
    require(given.isfinite().all(), f"{name} is not finite")


def check_round_trip(name: str, module: nn.Module, other: nn.Module, *inputs: Tensor) -> None:
    """Weights of one seed make a module of another seed the same."""
    with torch.no_grad():
        expected = module(*inputs)
        other.load_state_dict(module.state_dict())
        same = torch.equal(expected, other(*inputs))
    require(same, f"the {name} loaded from its state_dict is another; register all it depends on")


def gradient(loss: Tensor, tensor: Tensor) -> bool:
    """True if a gradient of `loss` other than zero reaches `tensor`."""
    if not loss.requires_grad:
        return False
    (gradient,) = torch.autograd.grad(loss, tensor, retain_graph=True, allow_unused=True)
    return gradient is not None and bool(gradient.any())
