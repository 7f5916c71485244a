"""Networks, priors and objectives. The tables map the kinds in params.yaml to their code."""

NETWORKS = {
    "mlp": "gmgan.models.networks.mlp",
    "dcgan": "gmgan.models.networks.dcgan",
}

PRIORS = {
    "normal": "gmgan.models.priors:build_prior",
    "static": "gmgan.models.priors:build_prior",
    "dynamic": "gmgan.models.priors:build_prior",
}

OBJECTIVES = {
    "gan": "gmgan.models.objectives.gan:Objective",
    "acgan": "gmgan.models.objectives.acgan:Objective",
    "supervised": "gmgan.models.objectives.supervised:Objective",
}
