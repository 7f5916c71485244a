"""Generators and discriminators.

A module (or, for a plug-in, any object) has `generator(network, in_dim, sample_shape)` and
`discriminator(network, sample_shape, n_outputs)`. `network` is the entry in params.yaml (for a
plug-in the dict of its `options`), `sample_shape` is (2,) or (channels, height, width). A
discriminator has the attribute `batch_statistics`: True if an output depends on the rest of its
batch. It may have

- `takes_classes = True`: it is then called with samples and their classes (LongTensor, N);
- `features(samples)`, `head(features)` and `feature_dim`: what its last layer sees (N x
  feature_dim), that layer, and its width. Auxiliary networks may then work on its features.
"""
