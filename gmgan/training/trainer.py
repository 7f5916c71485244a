"""The training step, and a state from which training continues bit for bit."""

import math

import torch
from torch import Tensor

from gmgan.config.models import Training
from gmgan.models.model import Model
from gmgan.pixels import to_model_range
from gmgan.seeds import derive_seed
from gmgan.training.optimizer import adam, load_state_of, state_of


class Trainer:
    """Trains a model on data in the memory of its device.

    Per iteration: one Adam step of the discriminator on a batch of real and of generated samples,
    then one of the generator, and of the prior if it is learned, on the same generated samples.

    samples: uint8 N x C x H x W or float32 N x 2; labels (LongTensor): N. The order of data depends
    on `order_seed` and the noise on `noise_seed` alone. With `training.precision` bfloat16 the
    networks compute under autocast; weights, losses and Adam stay float32.
    """

    def __init__(
        self,
        model: Model,
        training: Training,
        samples: Tensor,
        labels: Tensor,
        order_seed: int,
        noise_seed: int,
    ) -> None:
        if samples.dim() == 4:
            samples = samples.contiguous(memory_format=torch.channels_last)
        self.model, self.samples, self.labels = model.train(), samples, labels
        self.batch_size = training.batch_size
        self.total_iterations = max(1, math.ceil(training.kimg * 1000 / self.batch_size))
        mixed = training.precision == "bfloat16"
        self.precision = torch.autocast(samples.device.type, torch.bfloat16, enabled=mixed)
        self.order_seed = order_seed
        self.iteration = 0
        self.epoch, self.order = -1, torch.empty(0, dtype=torch.int64)
        self.noise = torch.Generator(samples.device).manual_seed(noise_seed)
        generator_side = [*model.generator.parameters(), *model.prior.parameters()]
        self.discriminator_side = list(model.discriminator.parameters())
        self.optimizers = {
            "g": adam(generator_side, training),
            "d": adam(self.discriminator_side, training),
        }

    @property
    def kimg(self) -> float:
        """Thousands of real images shown so far."""
        return self.iteration * self.batch_size / 1000

    def step(self) -> Tensor:
        """One iteration. Returns D loss, G loss, mean realness of real and of generated samples."""
        model, objective = self.model, self.model.objective
        index = self._next_indices()
        real, real_classes = to_model_range(self.samples[index]), self.labels[index]
        k, y, eps = self._latent()
        with self.precision:
            fake = model.generate(k, y, eps)
        fake_classes = objective.fake_classes(k, y)

        self._discriminator_learns(True)
        real_out, fake_out = self._discriminate(real, fake.detach())
        d_loss = objective.discriminator_loss(real_out, fake_out, real_classes, fake_classes)
        _descend(self.optimizers["d"], d_loss)

        self._discriminator_learns(False)
        with self.precision:
            g_out = model.discriminator(fake)
        g_loss = objective.generator_loss(g_out.float(), fake_classes)
        _descend(self.optimizers["g"], g_loss)
        self.iteration += 1
        with torch.no_grad():
            realness = [objective.realness(out).mean() for out in (real_out, fake_out)]
            return torch.stack([d_loss, g_loss, *realness])

    def state(self) -> dict[str, Tensor]:
        """Everything that the rest of the training depends on."""
        state = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            state |= {f"adam.{name}.{key}": value for key, value in state_of(optimizer).items()}
        state["noise"] = self.noise.get_state()
        state["iteration"] = torch.tensor(self.iteration)
        return state

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Continue from `state`; raises KeyError or RuntimeError when it does not fit the model."""
        self.model.load_state_dict(_below(state, "model."))
        for name, optimizer in self.optimizers.items():
            load_state_of(optimizer, _below(state, f"adam.{name}."))
        self.noise.set_state(state["noise"].cpu())
        self.iteration = int(state["iteration"])

    def _next_indices(self) -> Tensor:
        """The next batch of the endless sequence of shuffled epochs."""
        count, start = len(self.samples), self.iteration * self.batch_size
        pieces, wanted = [], self.batch_size
        while wanted:
            epoch, offset = divmod(start, count)
            if epoch != self.epoch:
                stream = torch.Generator().manual_seed(derive_seed(self.order_seed, epoch))
                order = torch.randperm(count, generator=stream)
                self.epoch, self.order = epoch, order.to(self.samples.device)
            piece = self.order[offset : offset + wanted]
            pieces.append(piece)
            wanted -= len(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _latent(self) -> tuple[Tensor, Tensor, Tensor]:
        """Components, classes and noise of one batch."""
        size, device = (self.batch_size,), self.samples.device
        k = torch.randint(self.model.prior.n_components, size, generator=self.noise, device=device)
        y = torch.randint(max(self.model.n_classes, 1), size, generator=self.noise, device=device)
        eps = torch.randn(
            self.batch_size, self.model.prior.dim, generator=self.noise, device=device
        )
        return k, y, eps

    def _discriminate(self, real: Tensor, fake: Tensor) -> tuple[Tensor, ...]:
        """Outputs for both batches: one pass, or two where outputs depend on the batch."""
        net = self.model.discriminator
        with self.precision:
            if net.batch_statistics:
                return net(real).float(), net(fake).float()
            return net(torch.cat([real, fake])).float().split(self.batch_size)

    def _discriminator_learns(self, flag: bool) -> None:
        """Whether backward passes compute gradients of the discriminator's weights."""
        for parameter in self.discriminator_side:
            parameter.requires_grad_(flag)


def _below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
