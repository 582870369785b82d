# Short verbs. Everything happens in .venv; `make test` and `make demo` rebuild what changed first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYX := $(shell find codecs engine recorder bench -name '*.pyx' -o -name '*.pxd')

.PHONY: build demo test serve lint bench fuzz lock clean

build: build/.extensions

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) .ci/preflight.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

build/.extensions: $(VENV)/.installed setup.py $(PYX)
	@mkdir -p build
	@$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

demo: build
	@$(BIN)/santral demo

test: build
	@$(BIN)/pytest

serve: build
	@$(BIN)/santral serve

lint: build
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: build
	@$(BIN)/santral bench

fuzz: build
	@SANTRAL_FUZZ_EXAMPLES=$${SANTRAL_FUZZ_EXAMPLES:-20000} $(BIN)/pytest tests -q -k fuzz --timeout 3600

lock:
	@$(BIN)/pip install --quiet pip-tools
	@$(BIN)/pip-compile --quiet --all-extras --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links -o requirements.lock pyproject.toml

clean:
	@rm -rf build dist $(VENV)
	@find codecs engine recorder bench -name '*.so' -delete
