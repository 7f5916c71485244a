# make        set up .venv and run the main job: the suite that params.yaml names
# make test   the same set-up, then all tests
# make test-cluster   ... the tests of clusters, with Snakemake's plug-ins in an environment of their own
# make lint   the same set-up, then the checks of style, types and imports
# make setup  only the set-up; then `. .venv/bin/activate`
# make bench  compare speed with the usual alternatives; writes benchmarks/results.csv
# make torture  kill and damage a small project; writes docs/reliability.md (KILLS=1000: more)
# make lock   resolve the newest versions and write requirements.lock and, the same for uv, uv.lock
#
# CORES=4 make   to use other than all cores; PYTHON=... for another interpreter

PYTHON ?= python3.11
KILLS ?= 100
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
BIN := .venv/bin

# The checks of `make lint`, each a target. tests/test_layers.py and pre-commit run the same targets.
LINT := ruff ruff-format snakefmt mypy lint-imports

.PHONY: all setup test test-cluster lint $(LINT) bench torture lock

all: setup
	$(BIN)/snakemake --cores $(CORES) -- all

setup: .venv/stamp

.venv/stamp: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

test: setup
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile

# Apart from .venv, because the plug-in for SLURM slows every start of Snakemake.
build/cluster/stamp: .venv/stamp
	$(BIN)/python -m venv build/cluster
	$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
		> build/cluster/packages.pth
	mv build/cluster/packages.pth build/cluster/lib/python*/site-packages
	build/cluster/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint requirements.lock 'gmgan[slurm,cluster-generic]'
	touch $@

test-cluster: build/cluster/stamp
	build/cluster/bin/python -m pytest -n 2 tests/test_cluster.py

lint: $(LINT)

$(LINT): setup

ruff:
	$(BIN)/ruff check .

ruff-format:
	$(BIN)/ruff format --check .

snakefmt:
	$(BIN)/snakefmt --check Snakefile workflow

mypy:
	$(BIN)/mypy

lint-imports:
	$(BIN)/lint-imports --no-cache

bench: setup
	$(BIN)/python -m benchmarks

torture: setup
	$(BIN)/python -m torture --kills $(KILLS)

# No local suffixes (+cpu) and no GPU libraries in the lock: it fits CPU and CUDA builds of torch.
lock: setup
	$(BIN)/python -m pip install --quiet pip-tools uv
	$(BIN)/pip-compile --quiet --upgrade --allow-unsafe --extra dev --strip-extras \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-emit-options --output-file requirements.lock pyproject.toml
	sed -i.bak -e 's/+cpu$$//' -e '/^nvidia-/d' -e '/^triton/d' requirements.lock
	rm requirements.lock.bak
	$(BIN)/uv lock $$(sed -n 's/^\([^=]*\)==\(.*\)/-P \1==\2/p' requirements.lock)
