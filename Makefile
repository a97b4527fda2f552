# The only list of commands. `make` alone explains them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,python3)
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo docs test unit foreign test-image validate-manifests test-gpu bench-gpu test-nightly check format bench bench-serving bench-scaling bench-peers chaos chaos-rolling chaos-selftest chaos-observed audit fuzz lock contracts clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install everything into .venv; nothing to do the second time

$(STAMP): requirements/all.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/all.txt
	touch $(STAMP)

demo: setup ## fine-tune, export, serve from a real Kafka; REVIEWS="files…" for your own reviews
	$(BIN)/python -m dev.demo $(if $(REVIEWS),--reviews $(REVIEWS))

docs: setup ## the pages as a site with search, .cache/site/index.html; a dead link ends it
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs -d .cache/site.state . .cache/site

# Half of what the tests do is wait, so two files run at a time. A file keeps to one process and shares its fixtures;
# in the order of their names the many small ones of the worker come last, and neither process is idle at the end.
# Threads of OpenMP that wait for work must not spin on the other process's core.
# Every branch of what decides what is committed has to be taken by a test in this process.
test: check ## everything that .ci/run runs: lint, types, imports, unit, property and integration tests
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --cov --cov-report term
	$(BIN)/coverage report --include 'worker/core/*,worker/delivery.py' --fail-under 100

unit: setup ## what needs neither Kafka nor training: a minute
	$(BIN)/python -m pytest -q -m unit --numprocesses 2

# A machine with a GPU may have no registry and a Python of its own: whatever it has must do.
test-gpu: ## what only a GPU can show; needs the extras training and gpu, and installs nothing
	$(GPU_PYTHON) -m pytest --confcutdir tests/gpu -m gpu tests/gpu

bench-gpu: ## parity and speed on a GPU; CHECKPOINT=folder DATA="files…"
	$(GPU_PYTHON) -m benchmarks.gpu $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT)) $(if $(DATA),--data $(DATA))

FOREIGN := $(CURDIR)/.cache/foreign

foreign: setup $(FOREIGN)/optimum/.installed $(FOREIGN)/infinity/.installed $(FOREIGN)/collector ## contract, model, report, metrics, rules and traces in programs that are not ours, answers on older processors; needs Node, Go for traces, qemu-user for processors
	mkdir -p $(FOREIGN) && cp tests/foreign/package*.json $(FOREIGN)
	npm ci --prefix $(FOREIGN) --ignore-scripts --no-audit --no-fund
	OMP_WAIT_POLICY=PASSIVE FOREIGN=$(FOREIGN) $(BIN)/python -m pytest -m foreign tests/foreign

# OpenTelemetry's Collector, of its own modules; minutes, the first time. Without Go its test is skipped, and says so.
$(FOREIGN)/collector: tests/foreign/collector/main.go tests/foreign/collector/go.mod tests/foreign/collector/go.sum
	mkdir -p $(FOREIGN)
	! command -v go > /dev/null || go -C $(<D) build -buildvcs=false -o $@ .

$(FOREIGN)/%/.installed: tests/foreign/%.txt | setup
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python --require-hashes -r $<
	touch $@

# The base is made of Debian's packages where none is named, since not every machine reaches a registry of images.
test-image: setup ## build the worker's image and run it on a real Kafka; needs root, buildah and runc, and mmdebstrap without IMAGE_BASE=debian:bookworm-slim
	IMAGE_BASE=$(IMAGE_BASE) $(BIN)/python -m pytest -s -m image tests/image

MANIFESTS := .cache/manifests

validate-manifests: setup ## deploy/ and docker/compose.yaml by their schemas; needs kubectl; CRDS=folder with the operators' definitions
	test -x $(MANIFESTS)/bin/python || $(BIN)/uv venv --quiet $(MANIFESTS)
	$(BIN)/uv pip install --quiet --python $(MANIFESTS)/bin/python kubernetes-validate==1.37.0 check-jsonschema==0.39.0
	$(MANIFESTS)/bin/python -m dev.validate_manifests $(CRDS)

test-nightly: setup ## the property tests with ten times as many examples
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest tests/worker

format: setup ## format, and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: setup ## lint, formatting, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

contracts: setup ## write docs/contracts, the tables of docs/settings.md and docs/metrics.md, and the PrometheusRule from their sources
	$(BIN)/python -m worker contracts
	$(BIN)/python -m dev.docs
	$(BIN)/python -m dev.rules

bench-serving: setup ## a worker on a real Kafka beside its graph alone and beside a simple loop; after `make demo`, or ARGS="--bundle … --checkpoint …"
	$(BIN)/python -m benchmarks.serving $(ARGS)

bench-scaling: setup ## one to eight workers before simulated devices, and what a worker takes of memory; after `make demo`, or ARGS="--bundle …"
	$(BIN)/python -m benchmarks.scaling $(ARGS)

bench-peers: setup ## its forward passes beside CTranslate2, OpenVINO, Optimum and transformers, which it installs in .cache/peers; after `make demo`, or ARGS="--bundle … --checkpoint …"
	$(BIN)/python -m benchmarks.peers $(ARGS)

bench: setup ## which operators are fastest, what an event costs the host, with tracing too, and what exactly once costs beside at least once
	$(BIN)/python -m benchmarks.operators
	$(BIN)/python -m benchmarks.host_path
	$(BIN)/python -m benchmarks.simulated_device
	$(BIN)/python -m benchmarks.tracing
	$(BIN)/python -m benchmarks.transactions

chaos: setup ## break workers and brokers, account for every record; MINUTES=20 DELIVERY=exactly-once SEED=1 FAULTS="…"
	$(BIN)/python -m dev.chaos run --minutes $(or $(MINUTES),5) --delivery $(or $(DELIVERY),at-least-once) --seed $(or $(SEED),1) $(if $(FAULTS),--faults $(FAULTS))

chaos-rolling: setup ## 20 restarts and scalings in good order: nothing may come twice
	$(BIN)/python -m dev.chaos rolling --delivery $(or $(DELIVERY),at-least-once)

chaos-selftest: setup ## sabotaged workers, each of which the chaos run has to catch
	$(BIN)/python -m dev.chaos selftest

chaos-observed: setup ## faults under the eyes of a real Prometheus: metrics, alerts and board held to the account; six minutes
	$(BIN)/python -m dev.observed

# Risky code is ruff's business (its rules S are bandit's), at each `make check`.
audit: setup ## a bill of materials (CycloneDX) in .cache/, and known weaknesses of the pinned packages; needs PyPI itself
	mkdir -p .cache
	$(BIN)/uv tool run --from cyclonedx-bom cyclonedx-py environment $(BIN)/python --output-reproducible --output-file .cache/sbom.json
	$(BIN)/uv tool run pip-audit --strict --requirement requirements/all.txt --disable-pip --require-hashes

fuzz: setup ## any bytes on the path of a record: none may end a worker; MINUTES=60 ENGINE=atheris
	$(BIN)/python -m dev.fuzz --minutes $(or $(MINUTES),5) --engine $(or $(ENGINE),hypothesis)

lock: setup ## compile requirements/*.txt again from pyproject.toml
	$(BIN)/python -m dev.lock

clean: ## remove caches and runs, not the installation
	rm -rf .cache runs .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
