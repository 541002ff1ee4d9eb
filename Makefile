# cagsr: Unix filters in C that fine-tune language models from their own attention.
#
#   make deps     what building, testing and the demo need (Debian/Ubuntu; elsewhere: the list)
#   make          the programs, in build/
#   make check    the tests (under 10 minutes on 2 cores)
#   make demo     the shipped model before and after CAGSR (MODEL=smollm2: a real one)
#   make minilm   fetches a sentence encoder, in build/models
#   make docs     the pictures of README.md, from recorded runs
#   make bench    speed and memory beside PyTorch, llama.cpp, TRL, where they are installed:
#   make bench-peers   installs them, in build/peers (minutes)
#   make asan | tsan | fuzz | lint | install | uninstall | clean
#
# MODE=asan|tsan|cov picks another build folder; CC=clang works; WERROR=1 makes warnings
# errors.

PREFIX ?= /usr/local
BINDIR = $(DESTDIR)$(PREFIX)/bin
LIBDIR = $(DESTDIR)$(PREFIX)/lib
INCDIR = $(DESTDIR)$(PREFIX)/include/cagsr
DATADIR = $(DESTDIR)$(PREFIX)/share/cagsr
MANDIR = $(DESTDIR)$(PREFIX)/share/man
BASHDIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHDIR = $(DESTDIR)$(PREFIX)/share/zsh/site-functions

MODE ?= release
BUILD ?= $(if $(filter release,$(MODE)),build,build/$(MODE)-$(notdir $(firstword $(CC))))
PKGCONF ?= pkg-config

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

ifneq ($(filter deps,$(MAKECMDGOALS)),)
# `make deps check` on a fresh machine: install first, then read this file again, for
# what follows asks pkg-config at once.
.NOTPARALLEL:
.PHONY: deps $(MAKECMDGOALS)
deps:
	tests/deps.sh
$(filter-out deps,$(MAKECMDGOALS)): deps
	$(MAKE) $@
else

# ---- dependencies ------------------------------------------------------------------------
# pkg-config name : Debian package.  A missing one is named with the line that installs it.
PACKAGES = openblas:libopenblas-dev msgpack:libmsgpack-dev libpcre2-8:libpcre2-dev \
	libutf8proc:libutf8proc-dev jansson:libjansson-dev libxxhash:libxxhash-dev
PKGS = $(foreach p,$(PACKAGES),$(firstword $(subst :, ,$(p))))
NEEDS_LIBS = $(if $(MAKECMDGOALS),$(filter-out clean uninstall,$(MAKECMDGOALS)),all)

ifneq ($(NEEDS_LIBS),)
missing := $(foreach p,$(PACKAGES),$(if $(shell $(PKGCONF) --exists \
	$(firstword $(subst :, ,$(p))) && echo y),,$(p)))
ifneq ($(strip $(missing)),)
$(foreach p,$(missing),$(info missing library: $(firstword $(subst :, ,$(p))); on \
	Debian: apt-get install $(lastword $(subst :, ,$(p)))))
$(error libraries are missing: run 'make deps')
endif
PKG_CFLAGS := $(shell $(PKGCONF) --cflags $(PKGS))
PKG_LIBS := $(shell $(PKGCONF) --libs $(PKGS))
endif

# ---- flags -------------------------------------------------------------------------------
CSTD = -std=gnu11
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wpointer-arith -Wwrite-strings -Wundef -Wno-psabi -Wno-missing-field-initializers $(if $(filter 1,$(WERROR)),-Werror)
OPT = -O3 -g -fopenmp-simd -fno-math-errno -fno-trapping-math
ifeq ($(MODE),asan)
OPT = -O1 -g -fopenmp-simd -fno-math-errno -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer -Wno-pass-failed
else ifeq ($(MODE),tsan)
OPT = -O1 -g -fopenmp-simd -fno-math-errno -fsanitize=thread -Wno-pass-failed
else ifeq ($(MODE),cov)
OPT = -O0 -g --coverage
endif
CPPFLAGS += -Ilibcore $(PKG_CFLAGS) -D_GNU_SOURCE -DPREFIX='"$(PREFIX)"'
CFLAGS += $(CSTD) $(WARN) $(OPT) -fPIC
LDLIBS = -Wl,--as-needed $(PKG_LIBS) -lpthread -ldl -lm

# The commands are shown with V=1, else one word and the file.
V ?= 0
silent = $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
say = $(if $(filter 1,$(V)),,@$(if $(silent),,printf '  %-4s %s\n' $(1) $(2);))

# ---- sources: globbed, so that a new file needs no line here -----------------------------
LIB_SRC := $(sort $(filter-out %_simd.c,$(wildcard libcore/*/*.c)))
# Compiled once for each instruction set that kern/isa.h knows on this architecture.
SIMD_SRC := $(sort $(wildcard libcore/*/*_simd.c))
TOOL_SRC := $(sort $(wildcard tools/*.c))
# A tool of several files keeps its parts in tools/NAME/: linked into tools/NAME.c's program.
PART_SRC := $(sort $(wildcard tools/*/*.c))
TEST_SRC := $(sort $(wildcard tests/*/test_*.c))
HELP_SRC := $(sort $(filter-out %_simd.c,$(wildcard tests/support/*.c)))
HELP_SIMD := $(sort $(wildcard tests/support/*_simd.c))
SCRIPTS := $(sort $(wildcard tools/*.sh))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
SETS := plain $(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),avx2 avx512)
SET_avx2 = -mavx2 -mfma -mf16c -mbmi -mbmi2
SET_avx512 = $(SET_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
simd_obj = $(foreach set,$(SETS),$(patsubst %.c,$(BUILD)/obj/%.$(set).o,$(1)))
LIB_OBJ := $(call obj,$(LIB_SRC)) $(call simd_obj,$(SIMD_SRC))
HELP_OBJ := $(call obj,$(HELP_SRC)) $(call simd_obj,$(HELP_SIMD))
LIB := $(BUILD)/libcagsr.a
TOOLS := $(patsubst tools/%.c,$(BUILD)/%,$(TOOL_SRC))
TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TEST_SRC))
PROGRAMS := $(TOOLS) $(patsubst tools/%.sh,$(BUILD)/%,$(SCRIPTS))

.PHONY: all
all: $(LIB) $(PROGRAMS)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(if $(filter libcore/% tools/%,$<),-include base/banned.h) $(CFLAGS) \
		-MMD -MP -c -o $@ $<

define simd_rule
$(BUILD)/obj/%_simd.$(1).o: %_simd.c Makefile
	@mkdir -p $$(@D)
	$$(call say,CC,$$< $(1))$$(CC) $$(CPPFLAGS) -DISA_SET=$(1) $$(if $$(filter libcore/%,$$<),-include base/banned.h) \
		$$(CFLAGS) $$(SET_$(1)) -MMD -MP -c -o $$@ $$<
endef
$(foreach set,$(SETS),$(eval $(call simd_rule,$(set))))

$(LIB): $(LIB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

.SECONDEXPANSION:
$(TOOLS): $(BUILD)/%: $(BUILD)/obj/tools/%.o \
	$$(call obj,$$(wildcard tools/$$*/*.c)) $(LIB)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -rdynamic -o $@ $(filter %.o,$^) $(LIB) $(LDLIBS)

# cagsr-view's page, file by file as a C string; and the hash that lets its script run.
PAGE := $(wildcard tools/cagsr-view/page.*)
PAGE_INC := $(PAGE:tools/cagsr-view/%=$(BUILD)/gen/%.inc) $(BUILD)/gen/page.js.sha256.inc
$(BUILD)/obj/tools/cagsr-view/html.o: CPPFLAGS += -I$(BUILD)/gen
$(BUILD)/obj/tools/cagsr-view/html.o: $(PAGE_INC)
$(BUILD)/gen/%.inc: tools/cagsr-view/%
	@mkdir -p $(@D)
	$(call say,GEN,$@)sed -e 's/\\/&&/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< > $@
$(BUILD)/gen/%.sha256.inc: tools/cagsr-view/%
	@mkdir -p $(@D)
	$(call say,GEN,$@){ sha256sum || shasum -a 256; } < $< | sed 's/ .*//; s/.*/"&"/' > $@

# A script is one file; its awk programs stand in files of their own.
$(BUILD)/%: tools/%.sh $$(wildcard tools/$$*/*.awk)
	@mkdir -p $(@D)
	$(call say,GEN,$@)awk '$$1 == "@include" { while ((getline line < $$2) > 0) print line; next } \
		{ print }' $< > $@
	@chmod 755 $@

# ---- tests -------------------------------------------------------------------------------
$(TESTS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(HELP_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LDLIBS) -lcriterion

# `make check` runs everything; `make check-MODULE` the unit tests of tests/MODULE;
# `make check-shell` the shell tests; T=NAME narrows to one file.
.PHONY: check unit check-shell
check: all $(TESTS)
	@BUILD=$(BUILD) tests/run-unit.sh $(TESTS); BUILD=$(BUILD) tests/cli/run.sh; \
		tests/summary.sh $(BUILD)

.PHONY: build-tests
build-tests: $(TESTS)

unit: $(TESTS)
	@BUILD=$(BUILD) tests/run-unit.sh $(TESTS)

check-shell: all
	@BUILD=$(BUILD) tests/cli/run.sh $(T)

check-%: $$(call tests_of,$$*)
	@BUILD=$(BUILD) tests/run-unit.sh $(if $(T),$(filter %/$(T),$^),$(call tests_of,$*))
tests_of = $(foreach t,$(TESTS),$(if $(findstring /tests/$(1)/,$(t)),$(t)))

# ---- sanitizers, fuzzing, lint: see tests/ -------------------------------------------------
.PHONY: asan tsan fuzz lint bench bench-peers
asan:
	tests/asan.sh $(ASAN)

tsan:
	tests/tsan.sh

# FUZZ_SECONDS for each target
fuzz:
	tests/fuzz/run.sh

lint:
	tests/lint/run.sh

BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(BENCH_SRC))
$(BENCHES): $(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LDLIBS)

# What BENCH_ONLY, BENCH_TURNS, BENCH_THREADS, BENCH_MODEL, CAGSR_PEERS do: tests/bench/run.sh
bench: all $(BENCHES)
	BUILD=$(BUILD) tests/bench/run.sh

bench-peers:
	BUILD=$(BUILD) tests/bench/peers/install.sh

# ---- demo ----------------------------------------------------------------------------------
.PHONY: demo
demo: all
	BUILD=$(BUILD) examples/demo.sh $(if $(MODEL),$(MODEL),tiny-qa)

.PHONY: minilm
minilm:
	BUILD=$(BUILD) examples/minilm.sh

# ---- pictures ------------------------------------------------------------------------------
.PHONY: docs
docs: $(BUILD)/cagsr-view
	BUILD=$(BUILD) examples/pictures/make.sh

# ---- install -------------------------------------------------------------------------------
MAN1 := $(wildcard man/*.1)
MAN5 := $(wildcard man/*.5)
MAN7 := $(wildcard man/*.7)
HEADERS := $(wildcard libcore/*/*.h)

# Made by asking the tools for their options.
COMPLETION := $(BUILD)/completion
.PHONY: completion
completion: $(COMPLETION)/cagsr $(COMPLETION)/_cagsr
$(COMPLETION)/options: tools/completion/options.sh $(sort $(PROGRAMS))
	@mkdir -p $(@D)
	sh $^ >$@
$(COMPLETION)/cagsr: tools/completion/bash.awk $(COMPLETION)/options
	awk -f $^ >$@
$(COMPLETION)/_cagsr: tools/completion/zsh.awk $(COMPLETION)/options
	awk -f $^ >$@

.PHONY: install uninstall clean
install: all completion
	install -d $(BINDIR) $(LIBDIR)/pkgconfig $(DATADIR) \
		$(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man7
	install -m 755 $(PROGRAMS) $(BINDIR)
	install -m 644 $(LIB) $(LIBDIR)
	for h in $(HEADERS); do install -D -m 644 $$h $(INCDIR)/$${h#libcore/} || exit 1; done
	install -m 644 $(MAN1) $(MANDIR)/man1
	install -m 644 $(MAN5) $(MANDIR)/man5
	install -m 644 $(MAN7) $(MANDIR)/man7
	install -D -m 644 $(COMPLETION)/_cagsr $(ZSHDIR)/_cagsr
	install -D -m 644 $(COMPLETION)/cagsr $(BASHDIR)/cagsr
	for p in $(notdir $(PROGRAMS)); do ln -sf cagsr $(BASHDIR)/$$p || exit 1; done
	tests/install-data.sh $(DATADIR)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBS@|$(LDLIBS)|' cagsr.pc.in \
		> $(LIBDIR)/pkgconfig/cagsr.pc

uninstall:
	rm -f $(patsubst $(BUILD)/%,$(BINDIR)/%,$(PROGRAMS)) $(LIBDIR)/libcagsr.a \
		$(LIBDIR)/pkgconfig/cagsr.pc
	rm -f $(patsubst man/%,$(MANDIR)/man1/%,$(MAN1)) $(patsubst man/%,$(MANDIR)/man5/%,$(MAN5)) \
		$(patsubst man/%,$(MANDIR)/man7/%,$(MAN7))
	rm -f $(ZSHDIR)/_cagsr $(patsubst %,$(BASHDIR)/%,cagsr $(notdir $(PROGRAMS)))
	rm -rf $(INCDIR) $(DATADIR)

clean:
	rm -rf build

-include $(patsubst %.o,%.d,$(LIB_OBJ) $(HELP_OBJ) $(call obj,$(TOOL_SRC) $(PART_SRC) $(TEST_SRC) $(BENCH_SRC)))
endif
