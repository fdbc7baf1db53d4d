# Everything a contributor types. A machine with Python 3.11+ and make is enough.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?=

.PHONY: demo test lint types unit soak cover bench spec constraints clean system-packages

demo: $(VENV)/.installed
	$(BIN)/kis-bridge demo $(DEMO)

test: $(VENV)/.dev system-packages tests/asyncapi/node_modules lint types
	$(BIN)/python -m pytest -q

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

unit: $(VENV)/.dev
	$(BIN)/python -m pytest -q tests/unit

# Hours of it: any interleaving of commands and faults, and a thousand daemons that are killed.
soak: $(VENV)/.dev system-packages
	SOAK=1 $(BIN)/python -m pytest -q tests/component/test_order_model.py \
		tests/unit/orders/ownership tests/system/test_crash.py

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

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; make PYTHON=python3.13 …")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }  # half of one would be taken for whole

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e .
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

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
