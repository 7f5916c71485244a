"""Adam with little bookkeeping.

torch.optim.Adam spends more time per step on bookkeeping than small networks do on arithmetic. Here
a step is one call of the kernel that torch.optim.Adam(fused=True) calls, for all parameters.
"""

import torch

EPS = 1e-8


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) without weight decay.

    parameters (list of Parameter); a parameter without a gradient is moved as with one of zeros.
    Parameters must stay where they are in memory. The state is kept as long vectors: `mean` and
    `square` of all parameters, one after the other.
    """

    def __init__(self, parameters, learning_rate, beta1, beta2):
        self.parameters = parameters
        self.options = {"lr": learning_rate, "beta1": beta1, "beta2": beta2, "eps": EPS}
        sizes = [parameter.numel() for parameter in parameters]
        device = parameters[0].device
        self.mean, self.square = (torch.zeros(sum(sizes), device=device) for _ in range(2))
        self.steps = torch.zeros((), device=device)
        self.lines = [_in_line(parameter.detach()) for parameter in parameters]
        self.means, self.squares = self.mean.split(sizes), self.square.split(sizes)

    def zero_grad(self):
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self):
        """Move the parameters against their gradients."""
        self.steps += 1
        torch._fused_adam_(
            self.lines,
            [_in_line(_gradient(parameter)) for parameter in self.parameters],
            self.means,
            self.squares,
            [],
            [self.steps] * len(self.lines),
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


def _in_line(tensor):
    """A dense tensor's numbers in the order in which they lie in memory."""
    return tensor.as_strided((tensor.numel(),), (1,))


def _gradient(parameter):
    """The gradient, in memory as the parameter is: the kernel goes through both as they lie."""
    if parameter.grad is None:
        return torch.zeros_like(parameter)
    if parameter.grad.stride() != parameter.stride():
        return torch.empty_like(parameter).copy_(parameter.grad)
    return parameter.grad
