"""Adam whose weights, gradients and moments share one memory layout per tensor.

The CPU kernel of `torch.optim.Adam(fused=True)` reads all of them in memory order and does not
compare strides (torch 2.13): if layouts differ, it updates weights with the gradients of other
weights and raises no error. Autograd gives a gradient the layout of its weight. Gradients that are
set in another way, and moments from a checkpoint, may have another layout.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from gmgan.config.models import Training


def adam(
    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
    training: Training,
    learning_rate: float | None = None,
) -> torch.optim.Adam:
    """Adam (Kingma and Ba 2015) by one fused kernel; `parameters` keep their memory layout.

    parameters: weights, or torch's groups of them; learning_rate: if other than the training's.
    """
    optimizer = torch.optim.Adam(
        parameters,
        lr=learning_rate or training.learning_rate,
        betas=(training.beta1, training.beta2),
        fused=True,
    )
    optimizer.register_step_pre_hook(_lay_out_gradients)
    return optimizer


def decay(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every learning rate to `factor` times its value at the start."""
    for group in optimizer.param_groups:
        group["lr"] = factor * group.setdefault("initial_lr", group["lr"])


def _lay_out_gradients(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    for group in optimizer.param_groups:
        for weight in group["params"]:
            gradient = weight.grad
            if gradient is not None and gradient.stride() != weight.stride():
                weight.grad = torch.empty_like(weight).copy_(gradient)


def state_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The moments and step counts of an optimizer, as `INDEX.NAME` of each weight's."""
    return {
        f"{index}.{name}": tensor
        for index, slots in optimizer.state_dict()["state"].items()
        for name, tensor in slots.items()
    }


def load_state_of(optimizer: torch.optim.Optimizer, state: dict[str, Tensor]) -> None:
    """Continue from a `state_of`; raises RuntimeError if it does not fit the weights."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        number, name = key.split(".")
        index = int(number)
        own = slots.setdefault(index, {})
        if tensor.dim() == 0:  # the count of steps
            own[name] = tensor.clone()
        elif index < len(weights) and tensor.shape == weights[index].shape:
            own[name] = torch.empty_like(weights[index]).copy_(tensor)
        else:
            raise RuntimeError(f"no weight fits Adam's {key} of {list(tensor.shape)}")
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})
