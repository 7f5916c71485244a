"""Several seeds of one model trained as one: weights and data have a leading dimension of seeds."""

import copy
from contextlib import nullcontext
from functools import partial

import torch
from torch.func import functional_call, stack_module_state, vmap

from gmgan.config.models import Training
from gmgan.models.step import Batch, StepDiscriminator
from gmgan.pixels import to_model_range
from gmgan.training.optimizer import adam
from gmgan.training.trainer import Trainer


class SeedsTogether:
    """The steps of several trainers, alike but for weights, data order and noise, in one.

    For objectives without classes and priors without learned parameters.
    """

    def __init__(self, trainers: list[Trainer], training: Training) -> None:
        self.trainers = trainers
        self.objective = trainers[0].model.objective
        self.mixed = training.precision == "bfloat16"
        self.modules, self.weights, self.buffers = {}, {}, {}
        for part, module in trainers[0].model.named_children():
            alike = [trainer.model.get_submodule(part) for trainer in trainers]
            self.weights[part], self.buffers[part] = stack_module_state(alike)
            self.modules[part] = copy.deepcopy(module).to("meta").train()
        self.optimizers = {
            part: adam(list(self.weights[part].values()), training)
            for part in ("generator", "discriminator")
        }

    def step(self):
        """One iteration of all. Returns a tensor, seeds x 2: D loss and G loss."""
        first = self.trainers[0]
        index = torch.stack([trainer._next_indices() for trainer in self.trainers])
        for trainer in self.trainers:
            trainer.batches += 1
        latents = zip(*(trainer._latent() for trainer in self.trainers), strict=True)
        k, _, eps = (torch.stack(parts) for parts in latents)
        real = to_model_range(first.samples[index])
        fake = self._run("generator", self._run("prior", k, eps))

        self._learns(True)
        if self.modules["discriminator"].batch_statistics:
            real_out = self._run("discriminator", real)
            fake_out = self._run("discriminator", fake.detach())
        else:
            both = self._run("discriminator", torch.cat([real, fake.detach()], 1))
            real_out, fake_out = both.split(real.shape[1], 1)
        d_loss = vmap(partial(_loss, self.objective.discriminator_loss))(
            real_out.float(), fake_out.float()
        )
        self._descend("discriminator", d_loss)

        self._learns(False)
        out = self._run("discriminator", fake).float()
        g_loss = vmap(partial(_loss, self.objective.generator_loss))(out, out)
        self._descend("generator", g_loss)
        return torch.stack([d_loss, g_loss], 1).detach()

    def _run(self, part, *inputs):
        module = self.modules[part]

        def one(weights, buffers, *inputs):
            return functional_call(module, (weights, buffers), inputs)

        device = inputs[0].device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.mixed and part != "prior"):
            return vmap(one)(self.weights[part], self.buffers[part], *inputs)

    def _learns(self, flag):
        for weight in self.weights["discriminator"].values():
            weight.requires_grad_(flag)

    def _descend(self, part, losses):
        self.optimizers[part].zero_grad()
        losses.sum().backward()
        self.optimizers[part].step()


class _Outputs:
    """Stands for a discriminator whose outputs are known: it gives back what it is given."""

    batch_statistics = True

    def __call__(self, outputs):
        return outputs


def _loss(loss, real, fake):
    """A loss of an objective, from the outputs of D for real and generated samples."""
    batch = Batch(real, None, fake, None, None, None, None, None, None)
    return loss(batch, StepDiscriminator(_Outputs(), None, nullcontext())).mean()
