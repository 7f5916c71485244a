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


def test_metric():
    check_plugin("metric", "sharpness:ratio", options={"power": 2})
