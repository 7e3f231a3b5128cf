# recurra: one verb per job. Needs make, python3 (3.10 or later; PYTHON=... picks another) and a C++20 compiler.

PYTHON ?= python3
SERIES ?= examples/data/co2-monthly.csv
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CXX_FILES := $(shell find native -name '*.h' -o -name '*.cpp')
BUILT_FROM := pyproject.toml CMakeLists.txt src/recurra/_version.py $(shell find native -type f)

.PHONY: help demo test lint format bench bits bits-golden wheel clean
.DELETE_ON_ERROR:

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: .venv/.forecast ## the teaching notebook's four models, then a forecast with a picture
	$(BIN)/python examples/teaching_notebook.py
	@mkdir -p out
	$(BIN)/recurra forecast $(SERIES) --plot out/forecast.png
	@echo "The picture: out/forecast.png"

test: .venv/.test ## all tests (ARGS="-k lstm" picks some)
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/.lint ## ruff, mypy, clang-format: check only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

format: .venv/.lint ## let ruff and clang-format rewrite the sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

bench: .venv/.forecast ## the figures of the README, measured on this machine
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/textbook_job.py
	$(BIN)/python benchmarks/train_step.py

bits: .venv/.build ## golden runs and every kernel, every target, 1 to 8 threads: the same bits? (NEON under qemu if installed)
	PATH="$(CURDIR)/$(BIN):$$PATH" native/tests/run_bits_check.sh build/bits

bits-golden: .venv/.build ## write tests/golden/bits.txt anew: for a change that moves bits and says so in its message
	PATH="$(CURDIR)/$(BIN):$$PATH" native/tests/run_bits_check.sh build/bits --write

wheel: .venv/.build ## dist/recurra-*.whl
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove all that make made, .venv included
	rm -rf .venv build dist out .mypy_cache .pytest_cache .ruff_cache

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
