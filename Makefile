# Needs python3, make and a C++ compiler; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
CONFIG ?= configs/digits.yaml
PORT ?= 8501
GRPC_PORT ?= 8500
IMAGE ?= darkroom:latest
GPU_IMAGE ?= darkroom:gpu
# Empty: the Dockerfile's, and where that cannot be pulled, a Debian made here.
BASE_IMAGE ?=
ROOT ?= minio://mlpipeline/darkroom
# Two workers, a file of tests to each at a time: most of a test's time is one core's.
# Those of tests/containers need a container engine and the image: `make kubeflow-test`.
# In the order of the folders: the long ones of tests/e2e are begun early, the short ones fill up.
# A worker that ended on a test that hangs is not replaced: xdist would begin the same test again.
PYTEST := TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m pytest -n 2 --dist loadfile \
	--no-loadscope-reorder --max-worker-restart 0 --ignore tests/containers
COVERED := --cov --cov-report=term --cov-report=xml:.coverage/coverage.xml

.DEFAULT_GOAL := help
.PHONY: help setup demo run serve data test coverage test-fast e2e lint format bench bench-transfer \
	bench-commands bench-data bench-serving soak manifest-tools image image-gpu image-test \
	kubeflow-compile kubeflow-local kubeflow-test lock clean

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' Makefile | \
		while IFS='|' read -r name text; do printf '  make %-17s %s\n' "$$name" "$$text"; done

setup: ## Make .venv from requirements.lock (at once when it is up to date)
	@$(PYTHON) -m tools.setup_environment

demo: setup ## Run the digits end to end, serve the pushed model and ask it
	$(BIN)/python -m darkroom.tools.demo

run: setup ## Run the pipeline on CONFIG (configs/digits.yaml)
	$(BIN)/darkroom run "$(CONFIG)"

serve: setup ## Serve models/digits on PORT (REST, 8501) and GRPC_PORT (8500)
	$(BIN)/python -m darkroom.serving.model_server --model_name=digits \
		--model_base_path="$(CURDIR)/models/digits" --rest_api_port=$(PORT) --port=$(GRPC_PORT)

data: setup ## Write the digits out as PNG files and labels.csv
	$(BIN)/python -m darkroom.samples.digits

test: setup ## Run every test
	$(PYTEST)

coverage: setup ## Run every test, and fail where less than 90 % of the rooms is covered (slower)
	@mkdir -p .coverage
	$(PYTEST) $(COVERED)

test-fast: setup ## Run the tests that start no pipeline and no server
	$(PYTEST) -m "not e2e"

e2e: setup ## Run the end-to-end tests only
	$(PYTEST) -m e2e

lint: setup ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@mkdir -p .mypy_cache/root && ln -sfn ../.. .mypy_cache/root/darkroom
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

manifest-tools: setup ## Put kustomize, docker-compose and rclone into .venv/bin (Debian), for the tests
	@tests/serving/deploy/install_tools.sh "$(BIN)"

format: setup ## Write the style that lint asks for
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

soak: setup ## Ten minutes of mixed load while models change
	DARKROOM_SOAK_SECONDS=600 $(PYTEST) tests/serving/soak -n 0 -o faulthandler_timeout=1800

bench: bench-commands bench-transfer bench-serving ## Run the benchmarks

bench-commands: setup ## Time the commands that need no TensorFlow
	$(BIN)/python -m darkroom.benchmarks.commands

bench-serving: setup ## Compare the model server with the model alone and with Flask on the same SavedModel
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m darkroom.benchmarks.serving

bench-data: setup ## Compare the data path with tf.data and Keras on PHOTOS, a folder of class folders
	$(BIN)/python -m darkroom.benchmarks.data "$(PHOTOS)"

bench-transfer: setup ## Compare shipped weights with random ones on the digits
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m darkroom.benchmarks.transfer

image: ## Build the container image IMAGE (darkroom:latest), on BASE_IMAGE
	@$(PYTHON) -m tools.image build --image "$(IMAGE)" --base "$(BASE_IMAGE)"

image-gpu: ## Build the image GPU_IMAGE (darkroom:gpu), with TensorFlow's CUDA packages
	@$(PYTHON) -m tools.image build --image "$(GPU_IMAGE)" --base "$(BASE_IMAGE)" --variant gpu

image-test: ## Run the tests that start no pipeline inside IMAGE, with the newer versions
	@$(PYTHON) -m tools.image test --image "$(IMAGE)" --base "$(BASE_IMAGE)"

kubeflow-local: data image ## Run CONFIG in local containers of IMAGE, one a step
	$(BIN)/python -m darkroom.kubeflow.local --config "$(CONFIG)" --image "$(IMAGE)" \
		--set "push.destination=models/$$(basename "$(CONFIG)" | sed 's/\.[^.]*$$//')-containers"

kubeflow-test: setup image ## Run the tests that run pipelines in local containers of IMAGE
	DARKROOM_IMAGE="$(IMAGE)" $(BIN)/python -m pytest tests/containers

kubeflow-compile: setup ## Compile CONFIG for Kubeflow Pipelines, with IMAGE and ROOT
	$(BIN)/python -m darkroom.kubeflow.compile --config "$(CONFIG)" --image "$(IMAGE)" --root "$(ROOT)"

lock: setup ## Resolve pyproject.toml into requirements.lock (UPGRADE=--upgrade: newest)
	UV_CUSTOM_COMPILE_COMMAND="make lock" .venv/uv/bin/uv pip compile --quiet --universal \
		--python-version 3.10 --generate-hashes --no-emit-index-url --all-extras $(UPGRADE) \
		--output-file requirements.lock pyproject.toml
	UV_CUSTOM_COMPILE_COMMAND="make lock" .venv/uv/bin/uv pip compile --quiet --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url $(UPGRADE) \
		--constraint requirements.lock --output-file kubeflow/requirements-gpu.lock \
		kubeflow/requirements-gpu.in

clean: ## Remove what runs and tests wrote; .venv and models stay
	rm -rf runs build dist *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache
