# Short verbs. Everything happens in .venv; every verb that runs something rebuilds what changed first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# -qq: errors only, since pip's warnings are about the machine's own settings, not about us
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
# Plain Python that setup.py compiles too: its rows WARM
WARM := $(addsuffix .py,$(subst .,/,$(shell sed -n '/^WARM/,/^]/s/^ *"\(.*\)",.*/\1/p' setup.py)))
COMPILED := $(shell find bench codecs engine recorder routing sip -name '*.pyx' -o -name '*.pxd') $(WARM)

# A stamp is as old as the start of its step, so what changes meanwhile is built next time.
BEGIN = @mkdir -p $(@D) && touch $@.begun
DONE = @mv $@.begun $@

.PHONY: build demo test serve lint bench fuzz lock clean

build: build/.extensions

# The interpreter and the locked packages; compiled modules are made again by the Cython that came with them.
$(VENV)/.packages: requirements.lock .ci/preflight.py
	@$(PYTHON) .ci/preflight.py
	@echo "installing the locked packages into $(VENV)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BEGIN)
	@$(PIP) install --require-hashes -r requirements.lock
	$(DONE)

# The engine itself, in place: its command and its metadata.
$(VENV)/.installed: $(VENV)/.packages pyproject.toml setup.py
	@echo "installing santral in place"
	$(BEGIN)
	@CYTHON_FORCE_REGEN=1 $(PIP) install --no-deps --no-build-isolation --editable .
	$(DONE)

# What changed since: a module follows its .pyx (or .py) and every .pxd it reads.
build/.extensions: $(VENV)/.installed $(COMPILED)
	$(BEGIN)
	@$(BIN)/python setup.py --quiet build_ext --inplace
	$(DONE)

demo: build
	@$(BIN)/santral demo

# Files of tests run beside each other. More of them than a small machine has cores: they wait most of the time.
test: build
	@$(BIN)/python -m pytest -n 3 --dist loadfile

serve: build
	@$(BIN)/santral serve

lint: build
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: build
	@$(BIN)/santral bench

fuzz: build
	@SANTRAL_FUZZ_EXAMPLES=$${SANTRAL_FUZZ_EXAMPLES:-20000} $(BIN)/python -m pytest tests -q -k fuzz --timeout 3600
	@for target in parser sdp stack; do $(BIN)/python -m santral.bench.fuzz $$target --seconds $${SANTRAL_FUZZ_SECONDS:-300} || exit 1; done

# Versions stay as they are unless pyproject.toml asks for others; `make lock UPGRADE=--upgrade` takes the newest.
# The lock is made by the versions it names, so the same input gives the same file.
lock: build
	@CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/python -m piptools compile --quiet $(UPGRADE) --all-extras --generate-hashes \
		--strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
		--output-file requirements.lock pyproject.toml

clean:
	@rm -rf build dist src/*.egg-info $(VENV)
	@find bench codecs engine recorder routing sip -name '*.so' -delete
