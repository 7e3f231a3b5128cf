# recurra: one verb per job. Needs make, python3 (3.10 or later; PYTHON=... picks another) and a C++20 compiler.

PYTHON ?= python3
SERIES ?= examples/data/co2-monthly.csv
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CXX_FILES := $(shell find native -name '*.h' -o -name '*.cpp')

# Libraries to measure beside recurra: 1 makes environments for them, a list PYTHON,PYTHON names some that are there.
PEERS ?=
ifeq ($(PEERS),1)
PEER_PYTHONS := .venv-peers-torch/bin/python,.venv-peers-jax/bin/python
PEER_ENVIRONMENTS := .venv-peers-torch/.made .venv-peers-jax/.made
else
PEER_PYTHONS := $(PEERS)
endif
BUILT_FROM := pyproject.toml CMakeLists.txt src/recurra/_version.py $(shell find native -type f)

.PHONY: help demo test test-peers lint format bench bench-quick bench-report ceilings bits bits-golden wheel clean
.DELETE_ON_ERROR:

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.forecast ## the teaching notebook's four models, then a forecast with a picture
	$(BIN)/python examples/teaching_notebook.py
	@mkdir -p out
	$(BIN)/recurra forecast $(SERIES) --plot out/forecast.png
	@echo "The picture: out/forecast.png"

test: .venv/.test ## all tests (ARGS="-k lstm" picks some)
	$(BIN)/python -m pytest $(ARGS)

test-peers: .venv/.test .venv-peers-keras/.made ## what the tests skip without Keras, TensorFlow and torch (2 GB)
	KERAS_BACKEND=tensorflow PYTHONPATH=$$(echo .venv-peers-keras/lib/python*/site-packages) $(BIN)/python -m pytest \
		-W ignore::DeprecationWarning -W ignore::UserWarning -W ignore::FutureWarning tests/keras_suites \
		tests/interop/test_peer_models.py tests/interop/test_signatures.py tests/interop/test_peers.py \
		tests/layers/test_against_keras.py tests/models/test_against_keras.py tests/training/test_against_keras.py

lint: .venv/.lint ## ruff, mypy, clang-format: check only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

format: .venv/.lint ## let ruff and clang-format rewrite the sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

bench: .venv/.test $(PEER_ENVIRONMENTS) ## all benchmarks, into out/bench; PEERS=1 beside torch, JAX, Keras and onnxruntime
	$(call run_benchmarks,out/bench)

bench-quick: .venv/.test $(PEER_ENVIRONMENTS) ## the same in two minutes: a look, not a measurement
	$(call run_benchmarks,out/bench-quick,--quick)

bench-report: .venv/.test ## out/bench into the tables and the picture of docs/performance.md
	$(BIN)/python benchmarks/report.py out/bench

ceilings: .venv/.test ## counts what kernels and calls cost, and sets the ceilings that the tests hold them to
	$(BIN)/python tests/costs/costs.py --update

bits: .venv/.build ## golden runs and every kernel, every target, 1 to 8 threads: the same bits? (NEON under qemu if installed)
	PATH="$(CURDIR)/$(BIN):$$PATH" native/tests/run_bits_check.sh build/bits

bits-golden: .venv/.build ## write tests/golden/bits.txt anew: for a change that moves bits and says so in its message
	PATH="$(CURDIR)/$(BIN):$$PATH" native/tests/run_bits_check.sh build/bits --write

wheel: .venv/.build ## dist/recurra-*.whl
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove all that make made, .venv included
	rm -rf .venv .venv-peers-* build dist out .hypothesis .mypy_cache .pytest_cache .ruff_cache

# Python sources are used in place: no step after editing them. The native part is compiled again where it changed,
# because cmake keeps its build folder and its tools stay in .venv (hence no build isolation).
.venv/.forecast .venv/.test .venv/.lint: .venv/.%: .venv/.build $(BUILT_FROM)
	@echo "==> installing recurra[$*] into .venv (compiles what changed; the first time takes a few minutes)"
	$(PIP) install --no-build-isolation --editable '.[$*]'
	@touch $@

.venv/.build: pyproject.toml
	@echo "==> making .venv with the build tools"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	sed -n 's/^requires = \[\(.*\)\]/\1/p' pyproject.toml | tr , ' ' | xargs $(PIP) install
	@touch $@

# FOLDER for the figures, OPTIONS
define run_benchmarks
@$(BIN)/python -m compileall -q src  # pip does so for the peers, and PYTHONDONTWRITEBYTECODE may keep Python from it
@for question in startup textbook_job train_step dropout models predict stream; do \
	$(BIN)/python benchmarks/$$question.py $(2) --json $(1)/$$question.json --peers '$(PEER_PYTHONS)' || exit 1; done
@for question in threads memory bits; do \
	$(BIN)/python benchmarks/$$question.py $(2) --json $(1)/$$question.json || exit 1; done
endef

# PyTorch's CPU builds lie on an index of its own; PyPI's for Linux bring several GB of CUDA. Only the full version keeps
# pip from taking those where its configuration names more indexes. The rest is from PyPI.
PEER_TORCH := torch==2.13.0$(if $(filter Darwin,$(shell uname -s)),,+cpu)
PEER_INDEX := --extra-index-url https://download.pytorch.org/whl/cpu

# SIZE, LIBRARIES, of which torch comes from its own index first
define make_peers
@echo "==> making $(@D) (about $(1))"
$(PYTHON) -m venv $(@D)
$(if $(filter torch%,$(2)),$(@D)/bin/python -m pip install --quiet --no-deps $(PEER_INDEX) $(filter torch%,$(2)))
$(@D)/bin/python -m pip install --quiet $(2)
@touch $@
endef

.venv-peers-torch/.made:
	$(call make_peers,1 GB,$(PEER_TORCH) keras onnxruntime)

# One version: tests/keras_suites/left_out.txt lists by name what of Keras's own suites does not pass.
.venv-peers-keras/.made:
	$(call make_peers,2 GB,$(PEER_TORCH) keras==3.15.1 tensorflow==2.21.0 tf_keras==2.21.0)

.venv-peers-jax/.made:
	$(call make_peers,700 MB,jax keras)
