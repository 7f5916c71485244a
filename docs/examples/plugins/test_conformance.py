"""Every plug-in keeps what its kind promises; the options are those of params.yaml, or smaller."""

from gmgan.conformance import check_plugin


def test_data_set():
    options = {"n_train": 200, "n_test": 50}
    check_plugin("data-set", "shapes:read", sample_shape=[16, 16, 1], classes=3, options=options)


def test_prior():
    check_plugin("prior", "lattice:build", options={"c": 0.5})


def test_network():
    check_plugin("network", "wide:Wide", options={"width": 32})


def test_objective():
    check_plugin("objective", "hinge:Objective")


def test_wgan_gp():
    check_plugin("objective", "wgan_gp:Objective")
    check_plugin("penalty", "wgan_gp:Penalty", options={"weight": 1})


def test_r1():
    check_plugin("penalty", "r1:Penalty", options={"gamma": 0.1})


def test_metric():
    check_plugin("metric", "sharpness:ratio", options={"power": 2})
