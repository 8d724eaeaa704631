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
# Disk reads by io_uring (liburing); without it, or where the kernel forbids it, by threads.
WITH_URING     ?= 1
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
ifeq ($(WITH_URING),1)
DEFINES += -DIR_WITH_URING=1
LIBS += -luring
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

KERNELS_avx2   := -mavx2 -mfma -mf16c
KERNELS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c -mavx512vpopcntdq -mavx512vnni
ISA_SOURCES := $(if $(filter x86_64,$(ARCH)),src/kernels/neon.c,src/kernels/avx2.c src/kernels/avx512.c src/kernels/code_avx2.c src/kernels/code_avx512.c)
ISA_SOURCES := $(if $(filter aarch64,$(ARCH)),src/kernels/avx2.c src/kernels/avx512.c src/kernels/code_avx2.c src/kernels/code_avx512.c,$(ISA_SOURCES))

SOURCES := $(filter-out $(ISA_SOURCES),$(sort $(wildcard src/*/*.c)))
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
TESTS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))

.PHONY: all
all: $(BUILD)/libimgret.a $(BUILD)/libimgret.so

# Objects are made anew when the flags change.
FLAGS_NOW := $(CC) $(ALL_CFLAGS) $(LIBS)
$(BUILD)/flags: force
	@mkdir -p $(@D); echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS_NOW))' > $@
.PHONY: force
force:

$(BUILD)/obj/src/kernels/avx2.o $(BUILD)/obj/src/kernels/code_avx2.o: ISA = $(KERNELS_avx2)
$(BUILD)/obj/src/kernels/avx512.o $(BUILD)/obj/src/kernels/code_avx512.o: ISA = $(KERNELS_avx512)

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

$(BUILD)/tests/%: tests/unit/%.c $(BUILD)/libimgret.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit $< -o $@ $(BUILD)/libimgret.a -lcmocka $(LIBS) $(LDFLAGS)

.PHONY: tests
tests: $(TESTS)

# Measuring programs that look inside: build/bench/NAME.
MICRO := $(patsubst bench/micro/%.c,$(BUILD)/bench/%,$(sort $(wildcard bench/micro/ann_segment.c)))
$(MICRO): $(BUILD)/bench/%: bench/micro/%.c bench/micro/ann_data.c $(BUILD)/libimgret.a
	@mkdir -p $(@D)
	$(call say,BENCH,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -O3 -march=native $< bench/micro/ann_data.c -o $@ $(BUILD)/libimgret.a $(LIBS) $(LDFLAGS)

.PHONY: micro
micro: $(MICRO)

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(OBJECTS:.o=.d) $(TESTS:=.d)
