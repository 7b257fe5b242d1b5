# SPDX-License-Identifier: Apache-2.0
# make help lists the targets.

SHELL := /bin/bash
SETUP := cmake/setup/setup.sh
RELEASE := build/release

.PHONY: help demo build test check check-all bench bench-engine bench-server format clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

demo: build ## serve the bundled models and print accuracy and latency of each; ONCE=1 stops then
	@$(RELEASE)/bin/octet demo --server $(RELEASE)/bin/octet-server \
	  --model-repository models/zoo/repository $(if $(ONCE),--once)

build: ## the two programs, into build/release/bin
	@$(SETUP) build
	@cmake/setup/configure.sh release
	@cmake --build $(RELEASE) --target octet octet-server

test: ## every test that CI runs
	@$(SETUP) test
	@tests/run/test.sh

check: ## the checks of the source alone, in seconds
	@$(SETUP) test
	@tests/run/source_checks.sh

check-all: ## the long checks: clang, clang-tidy, headers, ThreadSanitizer, fuzzers, image, soak
	@$(SETUP) check
	@tests/run/check_all.sh

bench: bench-engine bench-server ## both benchmarks

bench-engine: ## kernels and models in process
	@$(SETUP) test
	@tests/run/bench.sh engine

bench-server: ## the server over loopback, beside Triton, KServe, MLServer and a bare gRPC echo
	@$(SETUP) test
	@tests/run/bench.sh server

format: ## formats every C++ file in place
	@$(SETUP) test
	@git ls-files -z '*.h' '*.cc' | xargs -0 build/venv/bin/clang-format --style=file -i

clean: ## removes what was built; keeps what was fetched
	@[ ! -d build ] || find build -mindepth 1 -maxdepth 1 \
	  ! -name onednn ! -name venv ! -name tools ! -name clients ! -name peers ! -name keras ! -name torch ! -name tfmot -exec rm -rf {} +
