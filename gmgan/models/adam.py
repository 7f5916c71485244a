"""Adam on all parameters of a network as one long vector.

torch.optim.Adam spends more time per step on bookkeeping than small networks do on arithmetic. Here
the parameters and their gradients are views of two vectors, and a step is one call of the kernel
that torch.optim.Adam(fused=True) calls for every parameter.
"""

import torch

EPS = 1e-8


class FlatAdam:
    """Adam (Kingma and Ba 2015, algorithm 1) without weight decay.

    parameters (list of Parameter): become views of one vector, each with its shape and strides;
    their `grad` stays and is written in place.
    """

    def __init__(self, parameters, learning_rate, beta1, beta2):
        self.options = {"lr": learning_rate, "beta1": beta1, "beta2": beta2, "eps": EPS}
        with torch.no_grad():
            self.flat = torch.cat([parameter.flatten() for parameter in parameters])
        self.grad, self.mean, self.square = (torch.zeros_like(self.flat) for _ in range(3))
        self.steps = torch.zeros((), device=self.flat.device)
        start = 0
        for parameter in parameters:
            place = (parameter.shape, parameter.stride(), start)
            view = self.flat.as_strided(*place).copy_(parameter.detach())
            parameter.data, parameter.grad = view, self.grad.as_strided(*place)
            start += parameter.numel()

    def zero_grad(self):
        """Forget the gradients."""
        self.grad.zero_()

    def step(self):
        """Move the parameters against their gradients."""
        self.steps += 1
        torch._fused_adam_(
            [self.flat],
            [self.grad],
            [self.mean],
            [self.square],
            [],
            [self.steps],
            **self.options,
            weight_decay=0.0,
            amsgrad=False,
            maximize=False,
        )

    def state(self):
        """What a step depends on besides parameters and gradients, as named tensors."""
        return {"mean": self.mean, "square": self.square, "steps": self.steps}

    def load_state(self, state):
        """Go on from `state`; raises RuntimeError if its shapes are others."""
        for name, tensor in self.state().items():
            if tensor.shape != state[name].shape:
                raise RuntimeError(f"{name} is {list(state[name].shape)}, not {list(tensor.shape)}")
            tensor.copy_(state[name])
