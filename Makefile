# `make demo` and `make test` need Linux, Python 3.11 or newer with pip, and make; they create .venv and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Modules are compiled when they are first imported: half of the time of an install would go to those that never are.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
OUT ?= out/demo
FUZZ_SECONDS ?= 60

# Compiled tests are kept where the shell says to keep none, else each run spends a tenth of its time on compiling them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-fast test-trainers check bench fuzz wheel clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.demo
	$(BIN)/curate run demo --out $(OUT)
	$(BIN)/curate verify $(OUT)
	$(BIN)/curate report $(OUT)
	@echo "open $(OUT)/report/index.html in a browser"

test: test-fast
	$(BIN)/python -m pytest -n 2 --durations=30 -m "slow and not cluster and not demo"
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "cluster or demo"

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m "not cluster and not demo and not slow"

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.units --write
	$(BIN)/python -m benchmarks.dicom_series --write
	$(BIN)/python -m benchmarks.nifti_m3d --write
	$(BIN)/python -m benchmarks.video_frames --write
	$(BIN)/python -m benchmarks.deidentify --write
	$(BIN)/python -m benchmarks.burned_in --write
	$(BIN)/python -m benchmarks.sandbox --write

# each trainer's own loader reads an export, in an environment of its own below .trainers (21 GB)
test-trainers: $(VENV)/.dev
	$(BIN)/python -m tests.trainers

fuzz: $(VENV)/.dev
	$(PIP) --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

wheel: $(VENV)/.dev
	$(BIN)/python -m build --quiet --wheel --outdir dist .

clean:
	rm -rf $(VENV) dist out

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "medcurate needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.venv pyproject.toml constraints.txt demo-packages.txt
	$(PIP) --constraint constraints.txt --editable '.[demo]'
	$(PIP) --no-deps --requirement demo-packages.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo "pip may print an ERROR that nilearn and others lack packages: they are read as data, never imported"
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	@touch $@
