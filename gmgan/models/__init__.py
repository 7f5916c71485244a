"""The parts of a model. The tables map the kinds in params.yaml to their code."""

NETWORKS = {
    "mlp": "gmgan.models.networks.mlp",
    "dcgan": "gmgan.models.networks.dcgan",
}

PRIORS = {
    "normal": "gmgan.models.priors:build_prior",
    "static": "gmgan.models.priors:build_prior",
    "one-hot": "gmgan.models.priors:build_prior",
    "dynamic": "gmgan.models.priors:build_prior",
}

OBJECTIVES = {
    "gan": "gmgan.models.objectives.gan:Objective",
    "hinge": "gmgan.models.objectives.hinge:Objective",
    "least-squares": "gmgan.models.objectives.least_squares:Objective",
    "wasserstein": "gmgan.models.objectives.wasserstein:Objective",
    "relativistic": "gmgan.models.objectives.relativistic:Objective",
    "acgan": "gmgan.models.objectives.acgan:Objective",
    "supervised": "gmgan.models.objectives.supervised:Objective",
}

PENALTIES = {
    "r1": "gmgan.models.penalties.squared_gradient:Penalty",
    "r2": "gmgan.models.penalties.squared_gradient:Penalty",
    "gradient-penalty": "gmgan.models.penalties.interpolates:Penalty",
}

AUXILIARY = {
    "encoder": "gmgan.models.auxiliary.encoder:Auxiliary",
}
