# Makefile of libimgret: `make help` lists the targets; every switch stands in this first block.

CC       ?= gcc
CXX      ?= g++
CLANG    ?= clang
AR       ?= ar
INSTALL  ?= install
CFLAGS   ?= -O2 -g
CXXFLAGS ?= -O2 -g
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
# What runs the command that was built, where this machine cannot by itself: qemu-aarch64 -L /usr/...
RUN        ?=
DESTDIR    ?=
BUILD      ?= build
V          ?= 0
# 1 makes every warning an error.
WERROR     ?= 0

WITH_TURBOJPEG ?= 1
WITH_PNG       ?= 1
WITH_WEBP      ?= 1
# Disk reads by io_uring; without it, or where the kernel forbids it, by threads.
WITH_URING     ?= 1
# Learning a PCA: OpenBLAS or LAPACK is loaded when that is asked for, never linked.
WITH_BLAS      ?= 1
# The libtorch plugin: 1, 0, or auto: built when the headers of libtorch and cJSON are found.
WITH_TORCH     ?= auto
# oneDNN for the plugin's layers, beside the system's libtorch: 1, 0, or auto: where its headers are.
WITH_ONEDNN    ?= auto
# An unpacked libtorch, or a Python's site-packages/torch; empty: the system's.
TORCH_HOME     ?=
# An unpacked oneDNN 3 (include/, lib/) for the layers beside such a libtorch.
ONEDNN_HOME    ?=

# 0: no target installs packages. `make`, `make install` and the checks never do.
INSTALL_DEPS ?= 1
# Only tests whose name contains this text: make run-tests T=delta
T ?=
# A folder of pictures for `make demo`; by default the demo draws its own.
PICTURES ?=

# Real pictures, vectors and weights for further tests; tests that need them skip visibly without.
IMGRET_TEST_DATA ?= $(abspath $(wildcard ../shared/data))
export IMGRET_TEST_DATA

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
, := ,
empty :=
space := $(empty) $(empty)
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' '$(1)' '$(2)')
# Another make: as parallel as this one, or as there are processors when nobody said.
SUBMAKE = +$(Q)$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
# Finds out at parse time, with a compiler that may not be there yet, whether a header is.
hash := \#
has_header = $(shell printf '$(hash)if !__has_include(<%s>)\n$(hash)error\n$(hash)endif\n' '$(1)' | \
                 $(CC) $(CPPFLAGS) $(2) -E -x c - >/dev/null 2>&1 && echo 1)

MAJOR := $(shell sed -n 's/^\#define IMGRET_VERSION_MAJOR //p' include/imgret/imgret.h)
MINOR := $(shell sed -n 's/^\#define IMGRET_VERSION_MINOR //p' include/imgret/imgret.h)
PATCH := $(shell sed -n 's/^\#define IMGRET_VERSION_PATCH //p' include/imgret/imgret.h)
VERSION := $(MAJOR).$(MINOR).$(PATCH)
SONAME := libimgret.so.$(MAJOR)
ARCH := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null || uname -m)))

# ---- Flags ----------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wvla
DEFINES  := -D_GNU_SOURCE
LIBS     := -lsqlite3 -lm -ldl -lpthread

ifeq ($(WITH_TURBOJPEG),1)
DEFINES += -DIR_WITH_TURBOJPEG=1
LIBS += -ljpeg
endif
ifeq ($(WITH_PNG),1)
DEFINES += -DIR_WITH_PNG=1
LIBS += -lpng
endif
ifeq ($(WITH_WEBP),1)
DEFINES += -DIR_WITH_WEBP=1
LIBS += -lwebpdemux -lwebp
endif
ifeq ($(WITH_URING),1)
DEFINES += -DIR_WITH_URING=1
LIBS += -luring
endif

ifeq ($(WITH_BLAS),1)
DEFINES += -DIR_WITH_BLAS=1
endif

# Fortified functions need an optimising compiler, and hide from the sanitizers what they look for.
SANITIZED := $(findstring -fsanitize,$(CFLAGS))
OPTIMISED := $(filter -O1 -O2 -O3 -Os,$(CFLAGS))
HARDENING := -fstack-protector-strong -fstack-clash-protection \
             $(if $(filter x86_64,$(ARCH)),-fcf-protection) \
             $(if $(SANITIZED),,$(if $(OPTIMISED),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
COMMON_FLAGS = $(HARDENING) $(DEFINES) -Iinclude -fPIC -fvisibility=hidden -ffp-contract=off \
               -MMD -MP $(if $(filter 1,$(WERROR)),-Werror) $(CPPFLAGS)
ALL_CFLAGS   = -std=c17 $(WARNINGS) $(COMMON_FLAGS) $(CFLAGS)
ALL_CXXFLAGS = -std=c++17 -Wall -Wextra -Wshadow -Wconversion -Wpointer-arith -Wvla \
               -fvisibility-inlines-hidden $(COMMON_FLAGS) $(CXXFLAGS)
ALL_LDFLAGS  = -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS)
# A sanitizer's runtime is found in the program, not in the libraries it loads.
SHARED_FLAGS = -shared $(if $(SANITIZED),,-Wl,-z,defs) $(ALL_LDFLAGS)

# A kernel file's name ends in the instruction set that it may use.
KERNELS_avx2   := -mavx2 -mfma -mf16c
KERNELS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c -mavx512vpopcntdq -mavx512vnni
ISA_FOREIGN := $(if $(filter x86_64,$(ARCH)),,%avx2.c %avx512.c) \
               $(if $(filter aarch64,$(ARCH)),,%neon.c)

# libtorch's newest headers ask for C++20, Debian's 1.13 for C++17.
TORCH_ATEN := $(or $(TORCH_HOME),/usr)/include/ATen/ATen.h
TORCH_STD  := $(if $(shell grep -s 'C++20 or later' $(TORCH_ATEN)),c++20,c++17)
# -fopenmp only for compiling: ATen's parallel_for stands in its headers; the runtime is libtorch's own.
TORCH_CXXFLAGS := -std=$(TORCH_STD) -fopenmp $(if $(ONEDNN_HOME),-isystem $(ONEDNN_HOME)/include) $(if $(TORCH_HOME),-isystem $(TORCH_HOME)/include) \
                  -isystem $(or $(TORCH_HOME),/usr)/include/torch/csrc/api/include
# Another libtorch has a oneDNN of its own inside, which does not go together with the system's: beside it
# only one that is named, for a libtorch that keeps its own to itself, as those of the Python package index.
ONEDNN_ON := $(if $(ONEDNN_HOME),1,$(if $(TORCH_HOME),,$(if $(filter auto,$(WITH_ONEDNN)),$(call has_header,dnnl.h),$(filter 1,$(WITH_ONEDNN)))))
TORCH_CXXFLAGS += $(if $(ONEDNN_ON),-DIR_TORCH_WITH_ONEDNN=1)
TORCH_LIBS := $(if $(TORCH_HOME),-L$(TORCH_HOME)/lib -Wl$(,)-rpath$(,)$(TORCH_HOME)/lib) \
              $(if $(ONEDNN_HOME),-L$(ONEDNN_HOME)/lib -Wl$(,)-rpath$(,)$(ONEDNN_HOME)/lib) \
              -ltorch_cpu -lc10 $(if $(ONEDNN_ON),-ldnnl) -lcjson
HAS_CJSON := $(call has_header,cjson/cJSON.h)
HAS_TORCH := $(call has_header,torch/script.h,$(TORCH_HOME:%=-I%/include))
TORCH_ON := $(if $(filter auto,$(WITH_TORCH)),$(and $(HAS_CJSON),$(HAS_TORCH)),$(filter 1,$(WITH_TORCH)))

# ---- What there is to build: rooms, plugins and programs are found by their place ------------

# The program that decodes apart: its own main, the rest is the library's.
DECODER_MAIN := src/decode/worker_main.c
SOURCES := $(filter-out $(DECODER_MAIN) $(addprefix src/kernels/,$(ISA_FOREIGN)),\
               $(sort $(wildcard src/*/*.c)))
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)

CLI_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard cli/*.c)))
COMMAND     := $(if $(CLI_OBJECTS),$(BUILD)/imgret)
DECODER     := $(BUILD)/imgret-decode

TORCH_SOURCES := $(sort $(wildcard lib/torch/*.c lib/torch/*.cpp))
TORCH_OBJECTS := $(patsubst %,$(BUILD)/obj/%.o,$(basename $(TORCH_SOURCES)))
PLUGINS := $(if $(TORCH_ON),$(if $(TORCH_SOURCES),$(BUILD)/lib/imgret/imgret_torch.so))

TEST_SUPPORT := $(patsubst %.c,$(BUILD)/obj/%.o,\
                    $(filter-out tests/unit/test_%,$(sort $(wildcard tests/unit/*.c))))
# Where tests find the sources (for reference programs) and the test plugins.
TEST_PLACES  := -DIMGRET_TEST_SOURCE='"$(CURDIR)"' \
                -DIMGRET_TEST_PLUGINS='"$(abspath $(BUILD))/tests/plugins"'
TEST_PLUGINS := $(patsubst tests/plugins/%.c,$(BUILD)/tests/plugins/imgret_%.so,\
                    $(sort $(wildcard tests/plugins/*.c)))
ALL_TESTS    := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
ALL_FUZZ     := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

# In these folders a file with a main() is a program; the others are linked to all of its folder.
programs = $(sort $(if $(wildcard $(1)/*.c),$(shell grep -lw '^int main' $(wildcard $(1)/*.c))))
helpers  = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(call programs,$(1)),$(sort $(wildcard $(1)/*.c))))
EXAMPLES      := $(patsubst %.c,$(BUILD)/%,$(call programs,examples))
BENCHES       := $(patsubst %.c,$(BUILD)/%,$(call programs,bench))
MICRO_BENCHES := $(patsubst %.c,$(BUILD)/%,$(call programs,bench/micro))
HELPERS_examples    := $(call helpers,examples)
# The same programs with the archive in them, and the plugins that examples/plugin/ has.
STATIC_EXAMPLES := $(EXAMPLES:$(BUILD)/examples/%=$(BUILD)/examples/static/%)
EXAMPLE_PLUGINS := $(patsubst examples/plugin/%.c,$(BUILD)/examples/plugin/imgret_%.so,\
                       $(sort $(wildcard examples/plugin/*.c)))
HELPERS_bench       := $(call helpers,bench)
HELPERS_bench/micro := $(call helpers,bench/micro)
# imgret-bench is C and sees include/; its peers are C++ and built where their packages are.
BENCH_ANN_OBJECTS   := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard bench/ann/*.c)) bench/common.c)
BENCH_PEERS_OBJECTS := $(patsubst %.cpp,$(BUILD)/obj/%.o,$(sort $(wildcard bench/peers/*.cpp)))
BENCH_PEERS := $(and $(call has_header,hnswlib/hnswlib.h),$(call has_header,faiss/IndexHNSW.h),\
                   $(BUILD)/imgret-bench-peers)

# Tests and fuzz targets of lib/torch that take its plain C parts in, and so need cJSON; and those of
# the command's reader of such files.
LIB_TORCH_TESTS := safetensors test_safetensors test_torch%
lib_torch_objects = $(if $(filter $(LIB_TORCH_TESTS),$(1)),\
                        $(addprefix $(BUILD)/obj/lib/torch/,safetensors.o failure.o sharing.o)) \
                    $(if $(filter tensors test_tensors,$(1)),$(BUILD)/obj/cli/tensors.o) \
                    $(if $(filter truth,$(1)),$(addprefix $(BUILD)/obj/cli/,truth.o paths.o)) \
                    $(if $(filter test_metrics,$(1)),$(BUILD)/obj/cli/metrics.o)
lib_torch_libs    = $(if $(filter $(LIB_TORCH_TESTS),$(1)),-lcjson)
buildable = $(if $(HAS_CJSON),$(1),$(filter-out $(LIB_TORCH_TESTS),$(1)))

TESTS    := $(addprefix $(BUILD)/tests/,$(call buildable,$(ALL_TESTS)))
REPLAYS  := $(patsubst %,$(BUILD)/fuzz/%-replay,$(call buildable,$(ALL_FUZZ)))
FUZZERS  := $(REPLAYS:%-replay=%)
UNBUILT  := $(filter-out $(call buildable,$(ALL_TESTS) $(ALL_FUZZ)),$(ALL_TESTS) $(ALL_FUZZ))

# ---- Build ----------------------------------------------------------------------------------

## all          (default) build/imgret, build/libimgret.so and .a, build/lib/imgret/ plugins
.PHONY: all
all: $(BUILD)/libimgret.a $(BUILD)/libimgret.so $(COMMAND) $(DECODER) $(PLUGINS)

# Objects are made anew when the flags change.
FLAGS_NOW = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LIBS)
CXXFLAGS_NOW = $(CXX) $(ALL_CXXFLAGS) $(TORCH_CXXFLAGS) $(ALL_LDFLAGS) $(TORCH_LIBS)
quoted = '$(subst ','\'',$(1))'
write_if_changed = @mkdir -p $(@D); printf '%s\n' $(call quoted,$(1)) | cmp -s - $@ || \
                   printf '%s\n' $(call quoted,$(1)) > $@
$(BUILD)/flags: force
	$(call write_if_changed,$(FLAGS_NOW))
$(BUILD)/flags-cxx: force
	$(call write_if_changed,$(CXXFLAGS_NOW))
$(BUILD)/plugin-dir: force
	$(call write_if_changed,$(LIBDIR)/imgret)
.PHONY: force
force:

isa = $(if $(filter src/kernels/%avx2.c,$<),$(KERNELS_avx2)) \
      $(if $(filter src/kernels/%avx512.c,$<),$(KERNELS_avx512))

# Only the room that loads plugins knows where they are installed: another PREFIX rebuilds no more.
$(filter $(BUILD)/obj/src/extract/%,$(OBJECTS)): $(BUILD)/plugin-dir
$(BUILD)/obj/src/extract/%.o: PLACES = -DIMGRET_PLUGIN_DIR='"$(LIBDIR)/imgret"'

# Only the library, its unit tests and fuzz targets, and the micro-benchmarks see src/.
inside = $(if $(filter src/% tests/unit/% tests/fuzz/% bench/micro/%,$<),-Isrc) \
         $(if $(filter lib/% tests/unit/% tests/fuzz/%,$<),-Ilib) \
         $(if $(filter tests/unit/% tests/fuzz/%,$<),-Icli) \
         $(if $(filter tests/unit/%,$<),-Itests/unit)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(inside) $(isa) $(PLACES) -c $< -o $@

$(BUILD)/obj/%.o: %.cpp $(BUILD)/flags-cxx
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) $(ALL_CXXFLAGS) $(inside) $(TORCH_CXXFLAGS) -c $< -o $@

# An object that only a pattern rule asks for is kept all the same.
.PRECIOUS: $(BUILD)/obj/%.o

# Internal symbols stay in the archive: the unit tests link it.
$(BUILD)/libimgret.a: $(OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libimgret.so.$(VERSION): $(OBJECTS) src/libimgret.map
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SHARED_FLAGS) -Wl,-soname,$(SONAME) \
	    -Wl,--version-script=src/libimgret.map -o $@ $(OBJECTS) $(LIBS)

$(BUILD)/libimgret.so: $(BUILD)/libimgret.so.$(VERSION)
	$(Q)ln -sf libimgret.so.$(VERSION) $(BUILD)/$(SONAME)
	$(Q)ln -sf $(SONAME) $@

# The command links the shared library, found beside it, or beside BINDIR once installed.
LINK_COMMAND = $(CC) $(CFLAGS) $(if $(SANITIZED),,-pie) $(ALL_LDFLAGS) -o $@ $(CLI_OBJECTS) \
               -L$(BUILD) -limgret -lm -lpthread
RPATH_INSTALLED = $$ORIGIN/$(shell realpath -m -s --relative-to='$(BINDIR)' '$(LIBDIR)')

$(BUILD)/imgret: $(CLI_OBJECTS) $(BUILD)/libimgret.so
	$(call say,LD,$@)
	$(Q)$(LINK_COMMAND) -Wl,-rpath,'$$ORIGIN'

# Takes from the archive what decodes, and nothing else.
$(DECODER): $(DECODER_MAIN:%.c=$(BUILD)/obj/%.o) $(BUILD)/libimgret.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(if $(SANITIZED),,-pie) $^ -o $@ $(ALL_LDFLAGS) $(LIBS)

$(BUILD)/installed/imgret: $(CLI_OBJECTS) $(BUILD)/libimgret.so $(BUILD)/plugin-dir
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK_COMMAND) $(if $(RPATH_INSTALLED),-Wl$(,)-rpath$(,)'$(RPATH_INSTALLED)')

# Without -z defs: some functions that it asks for at run time are in only some builds of libtorch.
$(BUILD)/lib/imgret/imgret_torch.so: $(TORCH_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CXX) $(CXXFLAGS) -shared $(ALL_LDFLAGS) -o $@ $(TORCH_OBJECTS) $(TORCH_LIBS)

# ---- Tests, fuzz targets, examples and benchmarks ---------------------------------------------

TEST_DEFINES = -DIMGRET_TEST_SOURCE='"$(CURDIR)"' \
               -DIMGRET_TEST_DECODER='"$(abspath $(DECODER))"' \
               -DIMGRET_TEST_PLUGINS='"$(abspath $(BUILD))/tests/plugins"'

# Tests see the library's own file operations before the system does: tests/unit/watched_files.c.
WATCHED := open pread read pwrite write ftruncate fsync rename mkdir unlink unlinkat link opendir fdopendir fopen \
           fwrite fflush ir_io_turn
TEST_LDFLAGS := $(WATCHED:%=-Wl$(,)--wrap=%)

.SECONDEXPANSION:
$(BUILD)/tests/%: tests/unit/%.c $(TEST_SUPPORT) $$(call lib_torch_objects,$$*) $(BUILD)/libimgret.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(TEST_DEFINES) $(inside) $< -o $@ $(filter %.o,$^) \
	    $(BUILD)/libimgret.a $(ALL_LDFLAGS) $(TEST_LDFLAGS) -lcmocka $(call lib_torch_libs,$*) $(LIBS)

$(BUILD)/tests/plugins/imgret_%.so: tests/plugins/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,PLUGIN,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $< -o $@ $(SHARED_FLAGS) -lm

$(BUILD)/fuzz/%-replay: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/replay.o \
                        $$(call lib_torch_objects,$$*) $(BUILD)/libimgret.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ $(ALL_LDFLAGS) $(call lib_torch_libs,$*) $(LIBS)

# Set by `make fuzz`, together with clang and its flags.
ifdef FUZZ_DIR
$(FUZZ_DIR)/%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $$(call lib_torch_objects,$$*) $(BUILD)/libimgret.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer $^ -o $@ $(ALL_LDFLAGS) $(call lib_torch_libs,$*) $(LIBS)
endif

# Programs as a user writes them: only the public header, only the shared library.
$(EXAMPLES) $(BENCHES): $(BUILD)/%: $(BUILD)/obj/%.o $$(HELPERS_$$(firstword $$(subst /, ,$$*))) \
                                    $(BUILD)/libimgret.so
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(filter %.o,$^) -o $@ -L$(BUILD) $(ALL_LDFLAGS) -limgret \
	    -Wl,-rpath,'$$ORIGIN/..' -lm -lpthread

$(STATIC_EXAMPLES): $(BUILD)/examples/static/%: $(BUILD)/obj/examples/%.o $(HELPERS_examples) \
                                                $(BUILD)/libimgret.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ $(ALL_LDFLAGS) $(LIBS)

$(BUILD)/examples/plugin/imgret_%.so: examples/plugin/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,PLUGIN,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $< -o $@ $(SHARED_FLAGS)

$(BUILD)/imgret-bench: $(BENCH_ANN_OBJECTS) $(BUILD)/libimgret.so bench/peers/diskann.py
	@mkdir -p $(BUILD)/bench
	$(call say,LD,$@)
	$(Q)cp bench/peers/diskann.py $(BUILD)/bench/
	$(Q)$(CC) $(CFLAGS) $(BENCH_ANN_OBJECTS) -o $@ -L$(BUILD) $(ALL_LDFLAGS) -limgret \
	    -Wl,-rpath,'$$ORIGIN' -lm -lpthread

# hnswlib is a header: it gets the processor's instructions only so.
$(BENCH_PEERS_OBJECTS): CXXFLAGS += -O3 -march=native
$(BUILD)/imgret-bench-peers: $(BENCH_PEERS_OBJECTS) $(filter-out %/main.o,$(BENCH_ANN_OBJECTS)) \
                             $(BUILD)/libimgret.so
	$(call say,LD,$@)
	$(Q)$(CXX) $(CXXFLAGS) -fopenmp $(filter %.o,$^) -o $@ -L$(BUILD) $(ALL_LDFLAGS) -limgret \
	    -Wl,-rpath,'$$ORIGIN' -lfaiss -llapack -lblas -lm -lpthread

# Beside bench/filter, which runs it where it is there.
FILTER_PEER := $(if $(call has_header,hnswlib/hnswlib.h),$(BUILD)/bench/filter-hnswlib)
$(BUILD)/obj/bench/peers/filter/hnsw.o: CXXFLAGS += -O3 -march=native
$(BUILD)/bench/filter-hnswlib: $(BUILD)/obj/bench/peers/filter/hnsw.o
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CXX) $(CXXFLAGS) $< -o $@ $(ALL_LDFLAGS) -lpthread

$(MICRO_BENCHES): $(BUILD)/%: $(BUILD)/obj/%.o $(HELPERS_bench/micro) $(BUILD)/libimgret.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ $(ALL_LDFLAGS) $(LIBS)

# ---- Manuals -----------------------------------------------------------------------------------

# The day that stands in manuals, and of everything in a tarball: of the last commit, else of the file.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
export SOURCE_DATE_EPOCH
PYTHON ?= $(shell command -v python3)

# From the command's own table; where Python is missing, the pages of functions are left out.
COMPLETIONS := $(addprefix $(BUILD)/completions/,imgret.bash _imgret imgret.fish)
$(BUILD)/completions/imgret.bash: KIND = bash
$(BUILD)/completions/_imgret: KIND = zsh
$(BUILD)/completions/imgret.fish: KIND = fish
$(BUILD)/man/imgret.1: KIND = man
$(COMPLETIONS) $(BUILD)/man/imgret.1: $(COMMAND)
	@mkdir -p $(@D)
	$(call say,WRITE,$@)
	$(Q)$(RUN) $(BUILD)/imgret completions $(KIND) > $@.part && mv $@.part $@

$(BUILD)/man/3/imgret.3: include/imgret/imgret.h tools/api-docs.py
	@mkdir -p $(@D)
	$(call say,WRITE,$(@D))
	$(Q)$(PYTHON) tools/api-docs.py man $< $(@D) "$$(date -u -d @$(SOURCE_DATE_EPOCH) +%F)"

## man          writes the manual pages and shell completions, into build/man and build/completions
.PHONY: man
man: $(COMPLETIONS) $(BUILD)/man/imgret.1 $(if $(PYTHON),$(BUILD)/man/3/imgret.3)

## api-docs     writes docs/api.md from the comments of imgret.h
.PHONY: api-docs
api-docs:
	$(Q)$(PYTHON) tools/api-docs.py markdown include/imgret/imgret.h > docs/api.md.part
	$(Q)mv docs/api.md.part docs/api.md

## tests        builds the test programs without running them
.PHONY: tests
tests: $(TESTS) $(TEST_PLUGINS) $(DECODER)

## fuzz-replay  builds the drivers that run fuzz targets over a corpus (make test runs them)
.PHONY: fuzz-replay
fuzz-replay: $(REPLAYS)

## examples     builds examples/, with the shared library and, in examples/static/, with the archive
.PHONY: examples
examples: $(EXAMPLES) $(STATIC_EXAMPLES) $(EXAMPLE_PLUGINS)

## bench        builds bench/
.PHONY: bench
bench: $(BENCHES) $(MICRO_BENCHES) $(BUILD)/imgret-bench $(BENCH_PEERS) $(FILTER_PEER) all

## bench-ann    measures search on a small standard set, beside its peers, into bench/results/
.PHONY: bench-ann
bench-ann: $(BUILD)/imgret-bench $(BENCH_PEERS)
	@BUILD='$(BUILD)' sh bench/ann/standard.sh

# A Python with torch and torchvision for the reference side; Debian's is the plugin's own libtorch.
BENCH_PYTHON ?= /usr/bin/python3
## bench-extract our models' speed against Python's torch, ingest beside it, memory over 10,000 pictures
.PHONY: bench-extract
bench-extract: all $(BUILD)/bench/extract_memory $(BUILD)/bench/ingest
	$(Q)$(BENCH_PYTHON) bench/extract.py $(BUILD) --json $(BUILD)/bench/extract.json
	$(if $(IMGRET_TEST_DATA),$(Q)$(BENCH_PYTHON) bench/extract.py $(BUILD) --rounds 5 --copies 4 \
	    --ingest $(IMGRET_TEST_DATA)/images/imagenet_sample --json $(BUILD)/bench/ingest.json)
	$(if $(IMGRET_TEST_DATA),$(Q)$(BUILD)/bench/extract_memory \
	    $(IMGRET_TEST_DATA)/images/cifar10_test/cat \
	    --model 'torch:$(IMGRET_TEST_DATA)/weights/cifar10_resnet20.safetensors')
	$(if $(IMGRET_TEST_DATA),$(Q)$(BUILD)/bench/extract_memory \
	    $(IMGRET_TEST_DATA)/images/cifar10_test/cat --database \
	    --model 'torch:$(IMGRET_TEST_DATA)/weights/cifar10_resnet20.safetensors')

# ---- What people call -------------------------------------------------------------------------

install_deps = $(if $(filter 0,$(INSTALL_DEPS)),,$(Q)sh tools/install-deps.sh $(1))

## deps         installs the packages that are missing, with apt-get
.PHONY: deps
deps:
	$(call install_deps,build test checks arm64 --optional torch reference go)

# Packages decide what this file finds when it is read: hence a second make after installing.
## demo         installs what is missing, builds, and shows it all on pictures (PICTURES=dir)
.PHONY: demo run-demo
demo:
	$(call install_deps,build)
	$(SUBMAKE) run-demo
run-demo: all examples
	@IMGRET='$(BUILD)/imgret' DRAW_PICTURES='$(BUILD)/examples/draw_pictures' \
	    DEMO_DIR='$(BUILD)/demo' PICTURES='$(PICTURES)' sh examples/demo.sh

## test         installs what is missing, builds, runs all tests; T=text picks some by name
.PHONY: test run-tests
test:
	$(call install_deps,build test --optional torch reference go)
	$(SUBMAKE) run-tests
# As many files at a time as make has jobs; shell tests first, since the longest are among them.
TEST_JOBS ?= $(or $(patsubst -j%,%,$(filter -j%,$(MAKEFLAGS))),1)
run-tests: all tests fuzz-replay examples $(BUILD)/imgret-bench
	@BUILD='$(BUILD)' T='$(T)' sh tests/run.sh -j $(TEST_JOBS) \
	    $(foreach name,$(UNBUILT),--skip '$(name): libcjson-dev is missing') \
	    $(wildcard $(addprefix tests/,bindings/test_*.sh docs/test_*.sh reference/test_*.sh \
	        cli/test_*.sh tools/*.sh)) $(TESTS) $(REPLAYS)

## test-docs    runs every code block of README.md and docs/ as their readers would
.PHONY: test-docs
test-docs: all examples
	@BUILD='$(BUILD)' sh tests/run.sh tests/docs/test_docs.sh

## test-python  runs the tests of bindings/python alone, with every Python that is found
.PHONY: test-python
test-python: all $(TEST_PLUGINS)
	@BUILD='$(BUILD)' sh tests/run.sh tests/bindings/test_python.sh

## test-go      runs the tests of bindings/go alone, where a Go is installed
.PHONY: test-go
test-go: all $(TEST_PLUGINS)
	@BUILD='$(BUILD)' sh tests/run.sh tests/bindings/test_go.sh tests/bindings/test_go_race.sh

# The same programs in their long form. Hours on a slow disk: each prints what it ran.
TORTURES = $(foreach name,crash power_cut faults model soak extremes,\
               $(if $(wildcard tests/unit/test_$(name).c),$(BUILD)/tests/test_$(name)))
## torture      kills, power cuts, failing memory and files, random programs: the long runs
.PHONY: torture
torture: $(TORTURES)
	@mkdir -p $(BUILD)/test-logs
	@BUILD='$(BUILD)' T='$(T)' IMGRET_TEST_LONG=1 TEST_TIMEOUT_S=36000 sh tests/run.sh $(TORTURES); \
	    status=$$?; echo; grep -h 'violations' $(TORTURES:$(BUILD)/tests/%=$(BUILD)/test-logs/%.out) \
	    2>/dev/null; exit $$status

SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANITIZE_tsan := -fsanitize=thread
sanitized = BUILD='$(BUILD)-$(1)' WITH_TORCH=0 LDFLAGS='$(SANITIZE_$(1))' \
            CFLAGS='-O1 -g1 -fno-omit-frame-pointer $(SANITIZE_$(1))'

## asan         builds and runs all tests with AddressSanitizer and UBSan, in build-asan/
.PHONY: asan
asan:
	$(SUBMAKE) $(call sanitized,asan) run-tests

# Tests that start threads; the others would only be slow.
THREADED = $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort \
               $(shell grep -lE 'pthread_create|ir_pool_create|thrd_create' tests/unit/test_*.c)))
## tsan         the same with ThreadSanitizer, in build-tsan/, for tests that start threads
.PHONY: tsan run-threaded
tsan:
	$(SUBMAKE) $(call sanitized,tsan) run-threaded
run-threaded: $(TEST_PLUGINS) $(DECODER) $$(THREADED)
	@BUILD='$(BUILD)' T='$(T)' sh tests/run.sh -j $(TEST_JOBS) $(THREADED)

## fuzz         builds libFuzzer programs with clang: build/fuzz/NAME CORPUS-FOLDER
.PHONY: fuzz fuzzers
fuzz:
	$(SUBMAKE) BUILD='$(BUILD)/clang-fuzz' FUZZ_DIR='$(BUILD)/fuzz' CC='$(CLANG)' WITH_TORCH=0 \
	    CFLAGS='-O1 -g1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined' \
	    LDFLAGS='-fsanitize=address,undefined' fuzzers
fuzzers: $(FUZZERS:$(BUILD)/fuzz/%=$(FUZZ_DIR)/%)

# ---- Checks -----------------------------------------------------------------------------------

## check-static cppcheck and clang-tidy find nothing, where they are installed (FILES: only these)
.PHONY: check-static
check-static:
	@DEFINES='$(filter -DIR_%,$(DEFINES))' sh tools/check-static.sh $(FILES)

## check-hardening  what is built has RELRO, stack protectors, fortified functions and the like
.PHONY: check-hardening
check-hardening: $(BUILD)/libimgret.so $(COMMAND) $(DECODER)
	@sh tools/check-hardening.sh $^

## check-layers no file includes what the dependency law forbids
.PHONY: check-layers
check-layers:
	@sh tools/check-layers.sh

## check-tree   no large or foreign file, no word of work left undone, no blank at a line's end
.PHONY: check-tree
check-tree:
	@sh tools/check-tree.sh

## check-header the public headers compile as C11 and C++17 without a warning
.PHONY: check-header
check-header:
	@CC='$(CC)' CXX='$(CXX)' sh tools/check-header.sh

## check-abi    header, version map, library and the stored ABI agree
.PHONY: check-abi
check-abi: $(BUILD)/libimgret.so
	@CC='$(CC)' sh tools/check-abi.sh $(BUILD)/libimgret.so

## abi-baseline stores the ABI of this build as the one that check-abi compares with
.PHONY: abi-baseline
abi-baseline: $(BUILD)/libimgret.so
	@sh tools/check-abi.sh --store $(BUILD)/libimgret.so

## check-ldd    the library and the command load neither libstdc++ nor libtorch
.PHONY: check-ldd
check-ldd: $(BUILD)/libimgret.so $(COMMAND)
	@sh tools/check-ldd.sh $^

## check-onednn the plugin compiles without oneDNN: only a few of its files know of it
.PHONY: check-onednn
check-onednn:
	$(if $(and $(TORCH_ON),$(ONEDNN_ON)),@grep -l IR_TORCH_WITH_ONEDNN lib/torch/*.cpp | \
	    xargs -n 1 -P 2 $(CXX) $(filter-out -MMD -MP -DIR_TORCH_WITH_ONEDNN=1,$(ALL_CXXFLAGS) $(TORCH_CXXFLAGS)) \
	    -O0 -U_FORTIFY_SOURCE -Ilib -fsyntax-only)

## check-musl   the library and imgret-decode compile against musl, where musl-gcc is installed
.PHONY: check-musl
check-musl:
	+@sh tools/check-musl.sh '$(BUILD)-musl'

# A static program without cmocka: the whole of it runs under emulation.
ARM64_CC ?= aarch64-linux-gnu-gcc
ARM64_SOURCES := tests/arm64/kernels_main.c src/base/log.c \
                 $(filter-out %avx2.c %avx512.c,$(sort $(wildcard src/kernels/*.c)))
$(BUILD)/arm64/kernels: $(ARM64_SOURCES) $(wildcard tests/unit/*_compare.h) $(wildcard src/kernels/*.h)
	@mkdir -p $(@D)
	$(call say,ARM64,$@)
	$(Q)$(ARM64_CC) -std=c17 -O2 $(WARNINGS) -D_GNU_SOURCE -ffp-contract=off -Iinclude -Isrc \
	    -Itests/unit -static $(ARM64_SOURCES) -lm -o $@

## check-arm64  cross-builds the kernels and runs their tests, NEON among them, under qemu-aarch64
.PHONY: check-arm64
check-arm64: $(BUILD)/arm64/kernels
	$(Q)qemu-aarch64 $<

# The library and its unit tests as they are, against Debian's arm64 packages in a folder of their own.
ARM64_ROOT ?= $(abspath $(BUILD))-arm64-root
ARM64_LIB  := $(ARM64_ROOT)/usr/lib/aarch64-linux-gnu
ARM64_RUN  := qemu-aarch64 -L $(ARM64_ROOT) -E LD_LIBRARY_PATH=$(ARM64_LIB):$(ARM64_ROOT)/lib/aarch64-linux-gnu
# Of all that runs under emulation, what differs between processors: kernels, files, threads, reads.
ARM64_TESTS ?= api base codes decode delta exif extract filter io kernels resize rotate
cross_arm64 = BUILD='$(BUILD)-arm64' CC='$(ARM64_CC)' AR='aarch64-linux-gnu-ar' WITH_TORCH=0 RUN='$(ARM64_RUN)' \
              CPPFLAGS='-isystem $(ARM64_ROOT)/usr/include -isystem $(ARM64_ROOT)/usr/include/aarch64-linux-gnu' \
              LDFLAGS='-L$(ARM64_LIB) -Wl,-rpath-link,$(ARM64_LIB):$(ARM64_ROOT)/lib/aarch64-linux-gnu'
## test-arm64   cross-builds library, command and unit tests for arm64, runs them under qemu-aarch64
.PHONY: test-arm64 run-arm64
test-arm64:
	$(Q)sh tools/arm64-root.sh '$(ARM64_ROOT)'
	$(SUBMAKE) $(cross_arm64) all run-arm64
run-arm64: $(ARM64_TESTS:%=$(BUILD)/tests/test_%) $(TEST_PLUGINS)
	$(Q)$(RUN) $(BUILD)/imgret --version
	@BUILD='$(BUILD)' T='$(T)' EMULATOR='$(RUN)' IMGRET_TEST_DATA= sh tests/run.sh -j $(TEST_JOBS) \
	    $(ARM64_TESTS:%=$(BUILD)/tests/test_%)

## check-install installs into an empty folder, builds and runs a program against that copy
.PHONY: check-install
check-install:
	@CC='$(CC)' BUILD='$(BUILD)' sh tools/check-install.sh

## format-check clang-format finds nothing to change, where clang-format is installed
.PHONY: format-check
format-check:
	@sh tools/check-format.sh

## format       lets clang-format change what it finds
.PHONY: format
format:
	@sh tools/check-format.sh --fix

# ---- Install ----------------------------------------------------------------------------------

# Where LIBDIR and the like lie below PREFIX, imgret.pc says so: the tree may be moved as a whole.
pc_path = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
$(BUILD)/imgret.pc: pkgconfig/imgret.pc.in $(BUILD)/plugin-dir $(BUILD)/flags include/imgret/imgret.h
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(call pc_path,$(LIBDIR))|' \
	    -e 's|@INCLUDEDIR@|$(call pc_path,$(INCLUDEDIR))|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@LIBS@|$(LIBS)|' $< > $@

CMAKE_FILES := $(BUILD)/cmake/imgret-config.cmake $(BUILD)/cmake/imgret-config-version.cmake
$(CMAKE_FILES): $(BUILD)/cmake/%: cmake/%.in $(BUILD)/plugin-dir $(BUILD)/flags include/imgret/imgret.h
	@mkdir -p $(@D)
	$(Q)sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@MAJOR@|$(MAJOR)|g' -e 's|@MINOR@|$(MINOR)|g' \
	    -e 's|@SONAME@|$(SONAME)|g' -e 's|@LIBS@|$(subst $(space),;,$(strip $(LIBS)))|g' \
	    -e 's|@INCLUDE_FROM_LIB@|$(shell realpath -m -s --relative-to='$(LIBDIR)' '$(INCLUDEDIR)')|g' \
	    -e "s|@POINTER_BYTES@|$$(echo __SIZEOF_POINTER__ | $(CC) -E -P -x c -)|g" $< > $@

TO_BIN     = $(DESTDIR)$(BINDIR)
TO_LIB     = $(DESTDIR)$(LIBDIR)
TO_INCLUDE = $(DESTDIR)$(INCLUDEDIR)/imgret
TO_MAN     = $(DESTDIR)$(MANDIR)
TO_BASH    = $(DESTDIR)$(DATADIR)/bash-completion/completions
TO_ZSH     = $(DESTDIR)$(DATADIR)/zsh/site-functions
TO_FISH    = $(DESTDIR)$(DATADIR)/fish/vendor_completions.d
HEADERS   := $(sort $(wildcard include/imgret/*.h))

# The loader finds a new library in its usual places only after ldconfig, which root alone may run.
## install      to PREFIX (/usr/local), LIBDIR, INCLUDEDIR, BINDIR, all below DESTDIR
.PHONY: install
install: all man $(BUILD)/imgret.pc $(CMAKE_FILES) $(if $(COMMAND),$(BUILD)/installed/imgret)
	$(Q)$(INSTALL) -d '$(TO_LIB)/pkgconfig' '$(TO_LIB)/imgret' '$(TO_INCLUDE)' '$(TO_BIN)'
	$(Q)$(INSTALL) -m 644 $(HEADERS) '$(TO_INCLUDE)'
	$(Q)$(INSTALL) -m 644 $(BUILD)/libimgret.a '$(TO_LIB)'
	$(Q)$(INSTALL) -m 755 $(BUILD)/libimgret.so.$(VERSION) '$(TO_LIB)'
	$(Q)ln -sf libimgret.so.$(VERSION) '$(TO_LIB)/$(SONAME)'
	$(Q)ln -sf $(SONAME) '$(TO_LIB)/libimgret.so'
	$(Q)$(INSTALL) -m 644 $(BUILD)/imgret.pc '$(TO_LIB)/pkgconfig'
	$(Q)$(INSTALL) -m 755 $(DECODER) '$(TO_LIB)/imgret'
	$(Q)$(INSTALL) -d '$(TO_LIB)/cmake/imgret'
	$(Q)$(INSTALL) -m 644 $(CMAKE_FILES) '$(TO_LIB)/cmake/imgret'
	$(if $(PLUGINS),$(Q)$(INSTALL) -m 755 $(PLUGINS) '$(TO_LIB)/imgret')
	$(if $(COMMAND),$(Q)$(INSTALL) -m 755 $(BUILD)/installed/imgret '$(TO_BIN)')
	$(Q)$(INSTALL) -d '$(TO_MAN)/man1' '$(TO_MAN)/man3' '$(TO_BASH)' '$(TO_ZSH)' '$(TO_FISH)'
	$(Q)$(INSTALL) -m 644 $(BUILD)/man/imgret.1 '$(TO_MAN)/man1'
	$(if $(PYTHON),$(Q)$(INSTALL) -m 644 $(BUILD)/man/3/*.3 '$(TO_MAN)/man3')
	$(Q)$(INSTALL) -m 644 $(BUILD)/completions/imgret.bash '$(TO_BASH)/imgret'
	$(Q)$(INSTALL) -m 644 $(BUILD)/completions/_imgret '$(TO_ZSH)'
	$(Q)$(INSTALL) -m 644 $(BUILD)/completions/imgret.fish '$(TO_FISH)'
	$(if $(DESTDIR),,$(Q)ldconfig 2>/dev/null || true)

## uninstall    removes what install put there, with the same variables
.PHONY: uninstall
uninstall:
	$(Q)rm -f '$(TO_BIN)/imgret' '$(TO_LIB)/libimgret.a' '$(TO_LIB)/libimgret.so' \
	    '$(TO_LIB)/$(SONAME)' '$(TO_LIB)/libimgret.so.$(VERSION)' '$(TO_LIB)/pkgconfig/imgret.pc' \
	    '$(TO_LIB)/imgret/imgret_torch.so' '$(TO_LIB)/imgret/imgret-decode' $(HEADERS:include/imgret/%='$(TO_INCLUDE)/%') \
	    '$(TO_MAN)/man1/imgret.1' '$(TO_MAN)/man3'/imgret.3 '$(TO_MAN)/man3'/imgret_*.3 \
	    $(CMAKE_FILES:$(BUILD)/cmake/%='$(TO_LIB)/cmake/imgret/%') \
	    '$(TO_BASH)/imgret' '$(TO_ZSH)/_imgret' '$(TO_FISH)/imgret.fish'
	$(Q)rmdir --ignore-fail-on-non-empty '$(TO_LIB)/imgret' '$(TO_LIB)/cmake/imgret' '$(TO_INCLUDE)' 2>/dev/null || true

# ---- Give away --------------------------------------------------------------------------------

# What is in the commit and nothing else; from the same commit the same bytes.
TARBALL := libimgret-$(VERSION).tar.gz
## dist         dist/libimgret-VERSION.tar.gz of the last commit; the same commit, the same bytes
.PHONY: dist
dist:
	@mkdir -p dist
	$(Q)git archive --format=tar --prefix=libimgret-$(VERSION)/ HEAD | gzip -n -9 > dist/$(TARBALL).part
	$(Q)mv dist/$(TARBALL).part dist/$(TARBALL)
	@cd dist && sha256sum $(TARBALL)

## deb          Debian packages of the last commit, in dist/, looked at by lintian
.PHONY: deb
deb: dist
	@BUILD='$(BUILD)' WITH_TORCH='$(WITH_TORCH)' sh tools/make-deb.sh dist/$(TARBALL)

## check-deb    installs and uses them in a clean Debian made by debootstrap; root only
.PHONY: check-deb
check-deb: $(BUILD)/examples/draw_pictures
	@BUILD='$(BUILD)' sh tools/check-deb.sh $(CHROOT)

## check-docker builds the image of packaging/Dockerfile and uses it; root, buildah, debootstrap
.PHONY: check-docker
check-docker: $(BUILD)/examples/draw_pictures
	@BUILD='$(BUILD)' WITH_TORCH='$(filter 1,$(WITH_TORCH))' sh tools/check-docker.sh $(CHROOT_TAR)

## clean        removes everything that was built
.PHONY: clean
clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-plain $(BUILD)-clang $(BUILD)-musl $(BUILD)-arm64 $(BUILD)-arm64-root

## help         this list
.PHONY: help
help:
	@echo 'make TARGET [VARIABLE=value...]; the variables stand at the head of the Makefile'
	@sed -n 's/^## /  /p' Makefile

-include $(OBJECTS:.o=.d) $(CLI_OBJECTS:.o=.d) $(TORCH_OBJECTS:.o=.d) $(TEST_SUPPORT:.o=.d) \
         $(TESTS:=.d) $(TEST_PLUGINS:.so=.d) $(EXAMPLE_PLUGINS:.so=.d) $(ALL_FUZZ:%=$(BUILD)/obj/tests/fuzz/fuzz_%.d) \
         $(patsubst $(BUILD)/%,$(BUILD)/obj/%.d,$(EXAMPLES) $(BENCHES) $(MICRO_BENCHES)) \
         $(patsubst %.o,%.d,$(HELPERS_examples) $(HELPERS_bench) $(HELPERS_bench/micro) \
                               $(BENCH_ANN_OBJECTS) $(BENCH_PEERS_OBJECTS))
