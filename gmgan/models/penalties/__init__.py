"""Penalties that are added to the loss of the discriminator, one file each.

A class `Penalty(options)` whose objects are called with a `Batch` and a `StepDiscriminator`
(gmgan/models/step.py) and give a scalar. `options` is the entry in params.yaml, or the `options` of
one of the user's own. `batch.real` and `batch.fake` require gradients; D runs in float32.
"""
