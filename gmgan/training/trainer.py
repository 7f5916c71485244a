"""The training step, and a state from which training goes on bit for bit."""

import math
from contextlib import nullcontext

import torch

from gmgan.models.adam import Adam
from gmgan.models.mixed import BFloat16
from gmgan.pixels import to_model_range
from gmgan.seeds import derive_seed


class Trainer:
    """Trains a model on data that lies on the device.

    Per iteration: one Adam step of the discriminator on a batch of real and of generated samples,
    then one of the generator, and of the prior if it is learned, on the same generated samples.

    samples (Tensor): uint8 N x C x H x W or float32 N x 2; labels (LongTensor): N. training (dict):
    kimg, batch_size, learning_rate, beta1, beta2 and, for other than float32, precision. The order
    of data depends on `order_seed` and the noise on `noise_seed` alone.
    """

    def __init__(self, model, training, samples, labels, order_seed, noise_seed):
        if samples.dim() == 4:
            samples = samples.contiguous(memory_format=torch.channels_last)
        self.model, self.samples, self.labels = model, samples, labels
        self.batch_size = training["batch_size"]
        self.mixed = training.get("precision", "float32") == "bfloat16"
        self.copies = {}
        self.total_iterations = max(1, math.ceil(training["kimg"] * 1000 / self.batch_size))
        self.order_seed = order_seed
        self.iteration = 0
        self.epoch, self.order = -1, None
        self.noise = torch.Generator(samples.device).manual_seed(noise_seed)
        generator_side = [*model.generator.parameters(), *model.prior.parameters()]
        self.discriminator_side = list(model.discriminator.parameters())
        rates = {name: training[name] for name in ("learning_rate", "beta1", "beta2")}
        self.optimizers = {
            "g": Adam(generator_side, **rates),
            "d": Adam(self.discriminator_side, **rates),
        }

    @property
    def kimg(self):
        """Thousands of real images shown so far."""
        return self.iteration * self.batch_size / 1000

    def step(self):
        """One iteration. Returns a tensor: D loss, G loss, mean realness of real and generated."""
        model, objective = self.model, self.model.objective
        for network in (model.generator, model.discriminator):
            if not network.training:
                network.train()
        if self.mixed and not self.copies:
            self.copies = {
                "g": BFloat16(model.generator, self.samples.device.type),
                "d": BFloat16(model.discriminator, self.samples.device.type),
            }
        index = self._next_indices()
        real, real_classes = to_model_range(self.samples[index]), self.labels[index]
        k, y, eps = self._latent()
        with self._precision("g"):
            fake = model.generate(k, y, eps)
        fake_classes = objective.fake_classes(k, y)

        self._learns(True)
        real_out, fake_out = self._discriminate(real, fake.detach())
        d_loss = objective.discriminator_loss(real_out, fake_out, real_classes, fake_classes)
        self._descend("d", d_loss)

        self._learns(False)
        with self._precision("d"):
            g_out = model.discriminator(fake)
        g_loss = objective.generator_loss(g_out.float(), fake_classes)
        self._descend("g", g_loss)
        self.iteration += 1
        with torch.no_grad():
            return torch.stack(
                [
                    d_loss,
                    g_loss,
                    objective.realness(real_out).mean(),
                    objective.realness(fake_out).mean(),
                ]
            )

    def state(self):
        """Everything that training depends on from here, as a flat dict of tensors."""
        state = {f"model.{name}": tensor for name, tensor in self.model.state().items()}
        for name, optimizer in self.optimizers.items():
            state |= {f"adam.{name}.{slot}": value for slot, value in optimizer.state().items()}
        state["noise"] = self.noise.get_state()
        state["iteration"] = torch.tensor(self.iteration)
        return state

    def load_state(self, state):
        """Go on from `state`; raises KeyError or RuntimeError when it does not fit the model."""
        self.model.load_state(
            {
                name.removeprefix("model."): tensor
                for name, tensor in state.items()
                if name.startswith("model.")
            }
        )
        for name, optimizer in self.optimizers.items():
            optimizer.load_state({slot: state[f"adam.{name}.{slot}"] for slot in optimizer.state()})
        self.copies = {}  # made anew from these weights
        self.noise.set_state(state["noise"].cpu())
        self.iteration = int(state["iteration"])

    def _next_indices(self):
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

    def _latent(self):
        """Components, classes and noise of one batch."""
        size, device = (self.batch_size,), self.samples.device
        k = torch.randint(self.model.prior.n_components, size, generator=self.noise, device=device)
        y = torch.randint(max(self.model.n_classes, 1), size, generator=self.noise, device=device)
        eps = torch.randn(
            self.batch_size, self.model.prior.dim, generator=self.noise, device=device
        )
        return k, y, eps

    def _discriminate(self, real, fake):
        """Outputs for both batches: one pass, or two where outputs depend on the batch."""
        net = self.model.discriminator
        with self._precision("d"):
            if net.batch_statistics:
                return net(real).float(), net(fake).float()
            return net(torch.cat([real, fake])).float().split(self.batch_size)

    def _learns(self, flag):
        """Whether the discriminator's weights get gradients."""
        for parameter in self.discriminator_side:
            parameter.requires_grad_(flag)
        if self.mixed:
            self.copies["d"].requires_grad_(flag)

    def _precision(self, name):
        """Where a network runs: in bfloat16, or nothing changed."""
        return self.copies[name].used() if self.mixed else nullcontext()

    def _descend(self, name, loss):
        self.optimizers[name].zero_grad()
        loss.backward()
        if self.mixed:
            self.copies[name].hand_over()
        self.optimizers[name].step()
        if self.mixed:
            self.copies[name].refresh()
