# make demo      installs what is missing, builds, analyses Wan2.1-T2V-14B and shows the summary
# make test      the same up to the whole test suite
# make reference WAN_REPO=DIR WAN22_REPO=DIR DEEPSEEK_CODE=DIR
#                records tests/reference from PyTorch again and compares; needs a network, python3.11-venv, 8 GB of disk
#                (16 GB with DEEPSEEK_CODE, which needs another transformers). WAN_REPO and WAN22_REPO are checkouts of Wan,
#                DEEPSEEK_CODE has the files *.py and config.json of deepseek-ai/DeepSeek-OCR; cases of others are skipped
# make install PREFIX=/usr/local

PREFIX ?= /usr/local
PRESET ?= release
BUILD := build/$(PRESET)

.PHONY: demo test bench reference build deps install clean

demo: build
	$(BUILD)/modelmeter analyze --config-name wan2_1_t2v_14b workload.profile_id=wan2-1-720p

test: build
	ctest --preset $(PRESET)

bench: build
	$(BUILD)/bench/modelmeter_bench

reference:
	WAN_REPO='$(WAN_REPO)' WAN22_REPO='$(WAN22_REPO)' DEEPSEEK_CODE='$(DEEPSEEK_CODE)' scripts/reference

build: deps
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET)

deps:
	scripts/install-deps

install: build
	cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	rm -rf build
