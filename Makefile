# libmi: `make demo` shows what it does, `make test` proves it.

PREFIX ?= /usr/local
CARGO  ?= cargo
CXX    ?= c++
CC     ?= cc
DEMO   := target/demo
# Whatever the environment says: what is built is looked for here, and found by the programs that are linked with it.
export CARGO_TARGET_DIR := $(CURDIR)/target

.PHONY: all demo test nightly lint sanitize bench runtime install clean

all: target/release/libmi.so.1
	-@scripts/onnxruntime.py target/release # without it all models but networks work

target/release/libmi.so.1: FORCE
	$(CARGO) build --release
	ln -sf libmi.so $@

FORCE:

# ONNX Runtime, which runs networks: fetched by pip, compared with its pin, and linked beside libmi.so.
runtime:
	scripts/onnxruntime.py target/release

# A C++ program opens a training run that LightGBM and XGBoost wrote, and predicts every target and family.
demo: all
	@mkdir -p $(DEMO)
	$(CXX) -std=c++17 -O2 -Wall -Wextra -Iinclude examples_c/execution_engine.cpp -Ltarget/release -Wl,-rpath,$(CURDIR)/target/release \
	  -lmi -pthread -o $(DEMO)/execution_engine
	$(DEMO)/execution_engine tests/fixtures/runs/market tests/fixtures/runs/market/rows.npy tests/fixtures/runs/market/expected.tsv

# Everything that can fail: formatting, lints, documentation, tests, sanitizers. A clean clone is built once, so nothing is kept for the
# next build; where `cargo test` has left such pieces, they are used.
test: export CARGO_INCREMENTAL ?= $(if $(wildcard target/debug/incremental/mi-*),1,0)
test: lint runtime
	$(CARGO) test --no-fail-fast
	scripts/sanitize.sh
	$(MAKE) demo

# What takes too long for every change: the property tests of all kernels of forests, 10^8 rows through trees on every path.
nightly:
	MI_FOREST_EVALUATIONS=100000000 $(CARGO) test --release --lib exec::forest
	scripts/sanitize.sh --kernels

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --lib

sanitize:
	scripts/sanitize.sh

# Forests beside the libraries that trained them, and other engines for their files, each through its native C entry point.
# `cargo bench` measures our kernels alone. Every package comes with pip, pinned; models are trained once.
PEERS := target/bench
MODELS ?=

bench: all
	test -x $(PEERS)/venv/bin/python || python3 -m venv $(PEERS)/venv
	$(PEERS)/venv/bin/pip install --quiet --disable-pip-version-check --requirement benches/peers/requirements.txt
	$(PEERS)/venv/bin/python benches/peers/train.py $(PEERS)/models $(MODELS)
	$(PEERS)/venv/bin/python benches/peers/convert.py $(PEERS)/models $(MODELS)
	$(CARGO) bench --bench peers -- $(CURDIR)/$(PEERS)/models $$($(PEERS)/venv/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))") \
	  $(CURDIR)/target/release/libmi.so \
	  --json $(CURDIR)/$(PEERS)/peers.json $(MODELS)
	$(PEERS)/venv/bin/python benches/peers/chart.py $(PEERS)/peers.json $(PEERS)/peers.svg

install: all
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/bin
	install -m 755 target/release/libmi.so $(DESTDIR)$(PREFIX)/lib/libmi.so.1
	ln -sf libmi.so.1 $(DESTDIR)$(PREFIX)/lib/libmi.so
	install -m 644 target/release/libmi.a $(DESTDIR)$(PREFIX)/lib/libmi.a
	install -m 644 include/mi.h include/mi.hpp $(DESTDIR)$(PREFIX)/include
	install -m 755 target/release/mi $(DESTDIR)$(PREFIX)/bin/mi
	if [ -e target/onnxruntime/libonnxruntime.so.1 ] && [ ! -e $(DESTDIR)$(PREFIX)/lib/libonnxruntime.so.1 ]; then \
	  install -d $(DESTDIR)$(PREFIX)/share/doc/libmi/onnxruntime && \
	  install -m 644 target/onnxruntime/LICENSE target/onnxruntime/ThirdPartyNotices.txt $(DESTDIR)$(PREFIX)/share/doc/libmi/onnxruntime && \
	  install -m 755 target/onnxruntime/libonnxruntime.so.1 $(DESTDIR)$(PREFIX)/lib/libonnxruntime.so.1; fi
	sed 's|@PREFIX@|$(PREFIX)|' packaging/mi.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/mi.pc

clean:
	$(CARGO) clean
