# Everything a contributor types. A machine with Python 3.11+ and make is enough.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?=
JOBS   ?= 2
TOOLS  := .tools

# The tests start hundreds of programs; without cached bytecode each takes a second longer.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint types unit soak fuzz cover bench spec constraints requirements image-check audit sbom clean \
	system-packages

demo: $(VENV)/.installed
	$(BIN)/kis-bridge demo $(DEMO)

# What runs whole programs and measures their times has the machine to itself.
test: $(VENV)/.dev system-packages tests/asyncapi/node_modules $(VENV)/clients/.installed lint types
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --ignore tests/system
	$(BIN)/python -m pytest -q tests/system

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

unit: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n $(JOBS) --hypothesis-profile quick tests/unit --ignore tests/unit/fuzz

# Hours of it: any interleaving of commands and faults, and a thousand daemons that are killed.
soak: $(VENV)/.dev system-packages
	SOAK=1 $(BIN)/python -m pytest -q tests/component/test_order_model.py \
		tests/unit/orders/ownership tests/system/test_crash.py

# Whatever comes from outside, a million times, and other inputs every time (docs/security.md).
fuzz: $(VENV)/.dev
	FUZZ=10 $(BIN)/python -m pytest -q tests/unit/fuzz

cover: $(VENV)/.dev
	$(BIN)/python -m pytest -q --cov --cov-report=term-missing tests

bench: $(VENV)/.installed system-packages
	$(BIN)/kis-bridge bench

# After a change of spec/kis.xlsx: everything that is made of it.
spec: $(VENV)/.installed
	$(BIN)/kis-bridge spec check
	$(BIN)/kis-bridge spec compile
	$(BIN)/kis-bridge spec asyncapi
	$(BIN)/kis-bridge spec openapi
	$(BIN)/kis-bridge spec schema
	$(BIN)/kis-bridge spec docs
	$(BIN)/kis-bridge spec topics
	$(BIN)/kis-bridge spec simulator

# Mosquitto is the broker that the tests and the benchmark use. PostgreSQL and MariaDB, on which
# the journal is tried too, are installed only where CI=true: they start services of their own.
system-packages:
	@if command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ]; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "installing mosquitto from the system's packages"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq mosquitto mosquitto-clients >/dev/null; \
	else \
		echo "mosquitto is missing and cannot be installed from here: tests that need it are" \
		     "skipped (Debian: sudo apt-get install mosquitto mosquitto-clients;" \
		     "macOS: brew install mosquitto)"; \
	fi
	@if [ "$$CI" = true ] && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		! { ls /usr/lib/postgresql/*/bin/postgres && [ -x /usr/sbin/mariadbd ]; } \
			>/dev/null 2>&1; then \
		echo "installing postgresql and mariadb-server from the system's packages"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends postgresql mariadb-server >/dev/null || \
			echo "they could not be installed: the journal is tried on SQLite only"; \
	fi
	@if [ "$$CI" = true ] && ! command -v systemd-analyze >/dev/null && \
		command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "installing systemd from the system's packages, for systemd-analyze"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends systemd >/dev/null; \
	fi

# The official AsyncAPI parser, which checks spec/asyncapi.yaml.
tests/asyncapi/node_modules: tests/asyncapi/package.json
	@if ! command -v npm >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "installing npm from the system's packages"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends npm >/dev/null; \
	fi
	@if command -v npm >/dev/null; then \
		npm install --silent --no-audit --no-fund --no-package-lock --prefix tests/asyncapi || \
			echo "npm could not install the AsyncAPI parser: that check is skipped"; \
	else \
		echo "npm is missing: the check of spec/asyncapi.yaml is skipped" \
		     "(Debian: sudo apt-get install npm)"; \
	fi

# Public clients of KIS, which are tried against the simulator, in an environment of their own: what
# they need is nothing that the project needs. Without them their tests are skipped, but not in CI.
$(VENV)/clients/.installed: tests/clients/requirements.txt | $(VENV)/bin/python
	@rm -f $@; $(PYTHON) -m venv $(VENV)/clients && \
		$(VENV)/clients/bin/python -m pip install -q --disable-pip-version-check \
			--only-binary :all: -r tests/clients/requirements.txt && touch $@ || \
		{ echo "the public clients of KIS could not be installed: their tests are skipped"; \
		  [ "$$CI" != true ]; }

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; make PYTHON=python3.13 …")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }  # half of one would be taken for whole

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[demo]'
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# After a change of the dependencies: the newest versions that the ranges allow.
constraints:
	rm -rf .constraints && $(PYTHON) -m venv .constraints
	.constraints/bin/python -m pip install -q --disable-pip-version-check '.[dev]'
	(echo "# What continuous integration ran with. Made with: make constraints"; \
		.constraints/bin/python -m pip freeze --exclude kis-mqtt-bridge) > constraints.txt
	rm -rf .constraints
	$(MAKE) requirements

# What the image is built of, with the hash of every file: the versions of constraints.txt.
# A newer version of a package that is in there already is not taken by chance.
LOCK := $(TOOLS)/bin/uv pip compile -q --generate-hashes --universal --python-version 3.11 \
	--only-binary :all: --no-annotate --custom-compile-command "make requirements"
requirements: $(TOOLS)/.installed
	$(LOCK) pyproject.toml --extra postgresql --extra mariadb -c constraints.txt \
		-o requirements.image.txt
	$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' | \
		$(LOCK) - -c constraints.txt -o requirements.build.txt

# The containers' file against its schema, and the image: its steps in a clean environment, and itself
# where podman or docker can build it
# (IMAGE_BUILD_ARGS='--build-arg PYTHON_IMAGE=…' takes another base).
image-check: $(VENV)/.dev $(TOOLS)/.installed
	$(TOOLS)/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	IMAGE=1 PYTHON=$$(command -v $(PYTHON)) $(BIN)/python -m pytest -q -rs tests/system/test_image.py

# Known vulnerabilities of what the image is built of. Asks PyPI about each version; one that it
# cannot be asked about is a failure too.
audit: $(TOOLS)/.installed
	$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes \
		-r requirements.image.txt -r requirements.build.txt

# What the image is built of as a CycloneDX SBOM and as a list of licences, in dist/. Read from an
# installation of exactly that, so that nothing of a developer's is in it.
sbom: $(TOOLS)/.installed
	rm -rf .image && $(PYTHON) -m venv --without-pip .image
	$(PYTHON) -m pip --python .image/bin/python install -q --disable-pip-version-check \
		--require-hashes --only-binary :all: -r requirements.image.txt
	mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--of JSON -o dist/sbom.cdx.json .image/bin/python
	$(TOOLS)/bin/pip-licenses --python .image/bin/python --format markdown --order license \
		--with-urls --output-file dist/licences.md
	rm -rf .image
	@echo "dist/sbom.cdx.json dist/licences.md"

# Tools that look at the project from outside; none of them is needed to run or to test it.
$(TOOLS)/.installed:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install -q --disable-pip-version-check \
		'uv>=0.9,<1' 'cyclonedx-bom>=7,<8' 'pip-audit>=2.10,<3' 'pip-licenses>=5,<6' \
		'check-jsonschema>=0.37,<1'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis $(TOOLS) dist
