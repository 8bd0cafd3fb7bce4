# make demo      installs what is missing, builds, analyses Wan2.1-T2V-14B and shows the summary
# make test      the same up to the whole test suite
# make check     what CI runs: the format, clang-tidy, the suite built by clang under sanitizers, and by gcc without a warning;
#                each also by itself: make format, tidy, asan
# make reference WAN_REPO=DIR WAN22_REPO=DIR DEEPSEEK_CODE=DIR
#                records tests/reference from PyTorch again and compares; needs a network, python3.11-venv, 8 GB of disk
#                (16 GB with DEEPSEEK_CODE, which needs another transformers). WAN_REPO and WAN22_REPO are checkouts of Wan,
#                DEEPSEEK_CODE has the files *.py and config.json of deepseek-ai/DeepSeek-OCR; cases of others are skipped
# make install PREFIX=/usr/local

PREFIX ?= /usr/local
PRESET ?= release
WERROR ?= OFF
BUILD := build/$(PRESET)

.PHONY: demo test check format tidy asan bench reference build deps check-deps install clean

demo: build
	$(BUILD)/modelmeter analyze --config-name wan2_1_t2v_14b workload=wan2-1-720p-81f

test: build
	ctest --preset $(PRESET)

check: check-deps
	$(MAKE) format
	$(MAKE) tidy
	$(MAKE) asan
	$(MAKE) test WERROR=ON

format: check-deps
	git ls-files '*.cc' '*.h' | xargs clang-format-19 --dry-run -Werror

tidy: check-deps
	cmake --preset tidy
	cmake --build --preset tidy

asan: check-deps
	cmake --preset asan
	cmake --build --preset asan
	ctest --preset asan

bench: build
	$(BUILD)/bench/modelmeter_bench

reference:
	WAN_REPO='$(WAN_REPO)' WAN22_REPO='$(WAN22_REPO)' DEEPSEEK_CODE='$(DEEPSEEK_CODE)' scripts/reference

build: deps
	cmake --preset $(PRESET) -DMODELMETER_WERROR=$(WERROR)
	cmake --build --preset $(PRESET)

deps:
	scripts/install-deps

check-deps:
	scripts/install-deps --checks

install: build
	cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	rm -rf build
