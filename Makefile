# Makefile of libimgret: `make help` lists the targets; every switch stands in this first block.

CC      ?= gcc
CXX     ?= g++
AR      ?= ar
CFLAGS  ?= -O2 -g
CXXFLAGS ?= -O2 -g
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
DESTDIR ?=
BUILD   ?= build
V       ?= 0

WITH_TURBOJPEG ?= 1
WITH_PNG       ?= 1
WITH_WEBP      ?= 1
# The libtorch plugin: 1, 0, or auto: built when libtorch's headers are found.
WITH_TORCH     ?= auto

# Real pictures, vectors and weights for further tests; tests that need them skip visibly without.
IMGRET_TEST_DATA ?= $(abspath $(wildcard ../shared/data))
export IMGRET_TEST_DATA

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
Q := $(if $(filter 1,$(V)),,@)
comma := ,
say = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' '$(1)' '$(2)')

MAJOR := $(shell sed -n 's/^\#define IMGRET_VERSION_MAJOR //p' include/imgret/imgret.h)
MINOR := $(shell sed -n 's/^\#define IMGRET_VERSION_MINOR //p' include/imgret/imgret.h)
PATCH := $(shell sed -n 's/^\#define IMGRET_VERSION_PATCH //p' include/imgret/imgret.h)
VERSION := $(MAJOR).$(MINOR).$(PATCH)
SONAME := libimgret.so.$(MAJOR)
ARCH := $(shell $(CC) -dumpmachine | cut -d- -f1)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wvla
DEFINES  := -D_GNU_SOURCE -DIMGRET_PLUGIN_DIR='"$(LIBDIR)/imgret"'
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
LIBS += -lwebp
endif

ALL_CFLAGS = -std=c17 $(WARNINGS) $(DEFINES) -Iinclude -Isrc -fPIC -fvisibility=hidden \
             -ffp-contract=off -MMD -MP $(CFLAGS)

# The libtorch plugin: TORCH_HOME is an unpacked libtorch (or site-packages/torch); without it the
# system's. It needs cJSON's header too.
TORCH_HOME ?=
TORCH_INCLUDE := $(firstword $(if $(TORCH_HOME),$(TORCH_HOME)/include) \
    $(patsubst %/torch/script.h,%,$(wildcard /usr/include/torch/script.h /usr/local/include/torch/script.h)))
ifeq ($(WITH_TORCH),auto)
WITH_TORCH := $(if $(and $(wildcard $(TORCH_INCLUDE)/torch/script.h),$(wildcard /usr/include/cjson/cJSON.h)),1,0)
endif
PLUGIN_DEFINES := -D_GNU_SOURCE -Iinclude -Ilib -fPIC -fvisibility=hidden -ffp-contract=off -MMD -MP
TORCH_CFLAGS = -std=c17 $(WARNINGS) $(PLUGIN_DEFINES) $(CFLAGS)
# -fopenmp only compiles: ATen's parallel_for is in its headers, and the runtime must be the one that
# libtorch brings along, not a second one.
# libtorch's newest headers ask for C++20, the system's 1.13 for C++17.
TORCH_STD := $(if $(shell grep -s 'C++20 or later' $(TORCH_INCLUDE)/ATen/ATen.h),c++20,c++17)
TORCH_CXXFLAGS = -std=$(TORCH_STD) -fopenmp -Wall -Wextra -Wshadow -Wconversion -Wpointer-arith -Wvla $(PLUGIN_DEFINES) \
    $(addprefix -isystem ,$(filter-out /usr/include,$(TORCH_INCLUDE))) -isystem $(TORCH_INCLUDE)/torch/csrc/api/include $(CXXFLAGS)
TORCH_LIBS := $(if $(TORCH_HOME),-L$(TORCH_HOME)/lib -Wl$(comma)-rpath$(comma)$(TORCH_HOME)/lib) \
    -ltorch_cpu -lc10 -lcjson

KERNELS_avx2   := -mavx2 -mfma -mf16c
KERNELS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c -mavx512vpopcntdq -mavx512vnni
ISA_SOURCES := $(if $(filter x86_64,$(ARCH)),src/kernels/neon.c,src/kernels/avx2.c src/kernels/avx512.c)
ISA_SOURCES := $(if $(filter aarch64,$(ARCH)),src/kernels/avx2.c src/kernels/avx512.c,$(ISA_SOURCES))

SOURCES := $(filter-out $(ISA_SOURCES),$(sort $(wildcard src/*/*.c)))
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
TORCH_OBJECTS := $(patsubst %,$(BUILD)/obj/%.o,$(sort $(wildcard lib/torch/*.c lib/torch/*.cpp)))
TESTS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))

.PHONY: all
all: $(BUILD)/libimgret.a $(BUILD)/libimgret.so

ifeq ($(WITH_TORCH),1)
all: $(BUILD)/lib/imgret/imgret_torch.so
else
TESTS := $(filter-out %/test_safetensors %/test_torch %/test_torch_vit,$(TESTS))
endif

# Objects are made anew when the flags change.
FLAGS_NOW := $(CC) $(ALL_CFLAGS) $(LIBS)
$(BUILD)/flags: force
	@mkdir -p $(@D); echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS_NOW))' > $@
.PHONY: force
force:

$(BUILD)/obj/src/kernels/avx2.o:   ISA = $(KERNELS_avx2)
$(BUILD)/obj/src/kernels/avx512.o: ISA = $(KERNELS_avx512)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(ISA) -c $< -o $@

$(BUILD)/libimgret.a: $(OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libimgret.so: $(OBJECTS) src/libimgret.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=src/libimgret.map -Wl,-z,defs \
	    -Wl,-z,relro,-z,now $(CFLAGS) $(LDFLAGS) -o $(BUILD)/$(SONAME) $(OBJECTS) $(LIBS)
	$(Q)ln -sf $(SONAME) $@

TORCH_FLAGS_NOW := $(CXX) $(TORCH_CXXFLAGS) $(TORCH_CFLAGS) $(TORCH_LIBS) $(LDFLAGS)
$(BUILD)/flags-torch: force
	@mkdir -p $(@D); echo '$(subst ','\'',$(TORCH_FLAGS_NOW))' | cmp -s - $@ || echo '$(subst ','\'',$(TORCH_FLAGS_NOW))' > $@

$(BUILD)/obj/lib/torch/%.c.o: lib/torch/%.c $(BUILD)/flags-torch
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(TORCH_CFLAGS) -c $< -o $@

$(BUILD)/obj/lib/torch/%.cpp.o: lib/torch/%.cpp $(BUILD)/flags-torch
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) $(TORCH_CXXFLAGS) -c $< -o $@

# Not with -z defs: workers.cpp names functions that only some builds of libtorch bring along.
$(BUILD)/lib/imgret/imgret_torch.so: $(TORCH_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CXX) -shared -Wl,-z,relro,-z,now $(CXXFLAGS) $(LDFLAGS) -o $@ $^ $(TORCH_LIBS)

SAFETENSORS_OBJECTS := $(BUILD)/obj/lib/torch/safetensors.c.o $(BUILD)/obj/lib/torch/failure.c.o
SAFETENSORS_TESTS := $(BUILD)/tests/test_safetensors $(BUILD)/tests/test_torch
$(SAFETENSORS_TESTS): $(SAFETENSORS_OBJECTS)
$(SAFETENSORS_TESTS): TEST_EXTRA = -Ilib $(SAFETENSORS_OBJECTS) -lcjson

$(BUILD)/tests/%: tests/unit/%.c $(BUILD)/libimgret.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit $< -o $@ $(TEST_EXTRA) $(BUILD)/libimgret.a -lcmocka $(LIBS) $(LDFLAGS)

.PHONY: tests
tests: $(TESTS)

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(OBJECTS:.o=.d) $(TORCH_OBJECTS:.o=.d) $(TESTS:=.d)
