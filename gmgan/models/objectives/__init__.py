"""The losses of generator and discriminator.

A module has a class `Objective(n_classes, n_components)` with

- `n_outputs`: outputs of the discriminator per sample, all logits;
- `conditional`: True if the generator is given a class as a one-hot vector beside z;
- `fake_classes(k, y)`: the class that a generated sample should have, from its component k and a
  class y drawn at random (both LongTensor, N), or None;
- `discriminator_loss(real, fake, real_classes, fake_classes)` and
  `generator_loss(fake, fake_classes)`: scalars from logits (N x n_outputs);
- `realness(outputs)`: the probability of being real that the discriminator gives each sample (N).
"""
