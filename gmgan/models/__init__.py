"""Networks, priors, objectives and the training step. The tables say which module holds a kind."""

NETWORKS = {
    "mlp": "gmgan.models.networks.mlp",
    "dcgan": "gmgan.models.networks.dcgan",
}

OBJECTIVES = {
    "gan": "gmgan.models.objectives.gan",
    "acgan": "gmgan.models.objectives.acgan",
    "supervised": "gmgan.models.objectives.supervised",
}
