"""Generators and discriminators.

A module (or, for a plug-in, any object) has `generator(network, in_dim, sample_shape)` and
`discriminator(network, sample_shape, n_outputs)`, where `network` holds the fields of the entry in
params.yaml (a plug-in's `options`) and `sample_shape` is (2,) or (channels, height, width). A
discriminator has the attribute `batch_statistics`: True if an output depends on the rest of its
batch.
"""
