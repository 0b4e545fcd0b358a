# A thin front of cargo and of the scripts in toolchain/ and pre-scripts/. docs/building.md explains it.

# Variables of the command line reach the scripts through the environment.
export FIRMWARE OVERLAYS PROFILE OUT CROSS VECTORS_DIR ARCH OFFLINE BASE NO_CACHE

# cargo uses all cores by itself, and make's job server would only confuse it. One target at a time, also with -j.
.NOTPARALLEL:
unexport MAKEFLAGS MFLAGS
MAKE_TARGET = $@
export MAKE_TARGET

install = @toolchain/install.sh $@

# Integration tests that need a real peer are those of tests/peers/; everything else is quick. Ours have their names in
# Cargo.toml, those of the other crates are named after their files.
quick_tests = $(filter-out peers,$(sort \
	$(shell sed -n '/^\[\[test\]\]/,/^path/s/^name = "\(.*\)"$$/\1/p' Cargo.toml) \
	$(foreach crate,$(wildcard crates/*),$(patsubst $(crate)/tests/%/main.rs,%,$(wildcard $(crate)/tests/*/main.rs)) \
	$(patsubst $(crate)/tests/%.rs,%,$(wildcard $(crate)/tests/*.rs)))))

# What random tests try follows from the commit: whoever tests it again tests the same, and the next commit something new.
SEED = $(shell commit=$$(git rev-parse HEAD 2>/dev/null | cut -c1-15); echo $$((0x$${commit:-0})))
seeded = $(if $(filter-out random,$(SEED)),PROPTEST_RNG_SEED=$(SEED))

.PHONY: help
help:
	@echo 'make overlay     build dist/firmware.bin: our program and overlay, baked into a base image'
	@echo '                 FIRMWARE=FILE     stock upgrade file to build on (default: a stand-in made from rootfs/)'
	@echo '                 OVERLAYS="DIR …"  further overlays, applied after ours'
	@echo '                 PROFILE=NAME      profile that the overlays see'
	@echo '                 OUT=FILE          image to write (default: dist/firmware.bin)'
	@echo '                 CROSS=WAY         auto, cross (in a container) or native (default: auto)'
	@echo '                 OFFLINE=1         fetch nothing; what is missing is named with the command that gets it'
	@echo 'make test        run every test there is; VECTORS_DIR=DIR for other vectors'
	@echo '                 SEED=NUMBER       what random tests begin with (default: the commit), or random'
	@echo '                 SECOND_ATTEMPT=no no second attempt for tests of whole programs that fail'
	@echo 'make test-quick  run the tests that need no QEMU, podman or Moonraker'
	@echo 'make boot        boot dist/firmware.bin in QEMU; CONSOLE=1 leaves a console'
	@echo 'make bench       measure size, memory and speed into dist/bench/, and compare with the budgets; ONLY=NAME'
	@echo 'make fuzz        run every fuzz target; SECONDS=600 for each, TARGET=NAME for one'
	@echo 'make lint        check format, code, shell scripts and text'
	@echo 'make sbom        write dist/sbom/, which lists what the image is made of'
	@echo 'make container   build the container image printer-bridge:latest with podman or docker; ARCH=x86_64 or aarch64'
	@echo 'make workshop    build the image octo-dev:latest, in which sessions of octo run; BASE=IMAGE, ARCH=, NO_CACHE=1'
	@echo 'make lock        record every input of the image with its hash in octofw.lock; CHECK=1 only compares'
	@echo 'make clean       remove target/, dist/ and .cache/'

.PHONY: overlay
overlay:
	$(install) overlay $(if $(OVERLAYS),scripts)
	@toolchain/build-image.sh

# Tests with real peers mostly wait for them, so two run for each processor.
.PHONY: test
test:
	$(install) overlay scripts cross container podman boot test page axe nginx docker ttyd moonraker connect-sdk validators schemathesis
	@toolchain/build-image.sh --again
	@FIRMWARE_UNDER_TEST="$$(sed -n 's/^OUT=//p' .cache/image-settings)" \
		RUST_TEST_THREADS="$${RUST_TEST_THREADS:-$$((2 * $$(nproc)))}" $(seeded) toolchain/test.sh

.PHONY: test-quick
test-quick:
	$(install) overlay scripts quick
	@$(seeded) cargo test --locked --workspace --no-fail-fast --lib --bins $(addprefix --test ,$(quick_tests))

.PHONY: boot
boot:
	$(install) overlay boot
	@toolchain/boot.sh $(if $(CONSOLE),--console)

.PHONY: bench
bench:
	$(install) overlay boot test page nginx moonraker peer octoapp-plugin connect-sdk
	@toolchain/bench.sh $(ONLY)

.PHONY: fuzz
fuzz:
	$(install) fuzz
	@SECONDS_EACH='$(or $(SECONDS),600)' toolchain/fuzz.sh $(TARGET)

.PHONY: lint
lint:
	$(install) overlay lint rust-lint
	@toolchain/lint.sh

.PHONY: sbom
sbom: overlay
	@ls $(or $(dir $(OUT)),dist/)sbom/*

.PHONY: container
container:
	$(install) overlay container
	@toolchain/build-container.sh

.PHONY: workshop
workshop:
	@toolchain/build-workshop.sh

.PHONY: lock
lock:
	$(install) overlay
	@cargo run --quiet --locked --profile tool --package octofw -- lock $(if $(CHECK),--check) $(if $(OFFLINE),--offline)

.PHONY: clean
clean:
	@toolchain/clean.sh
