/* plugin_needs.c: whether a plugin's libraries can live beside what the process has loaded.
 *
 * The dynamic linker tells only when it is too late: initialisers of the second libtorch run within
 * dlopen, on variables that it shares with the first (symbols of type GNU_UNIQUE, which ignore
 * RTLD_LOCAL). So the names of what a plugin needs are read from its file before (ELF, System V ABI).
 */
#include "extract/plugin_needs.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define SEGMENT_COUNT_MAX 64u
#define DYNAMIC_COUNT_MAX 4096u
#define NAMES_BYTES_MAX (1u << 20)

/* Libraries that no process can have twice, in any two versions. */
static const char *const alone[] = {"libtorch_cpu.so", "libc10.so"};

typedef struct elf_file {
    int fd;
    ElfW(Phdr) segments[SEGMENT_COUNT_MAX];
    size_t segment_count;
} elf_file;

static bool read_at(const elf_file *file, void *out, size_t bytes, uint64_t offset)
{
    return offset <= INT64_MAX && pread(file->fd, out, bytes, (off_t)offset) == (ssize_t)bytes;
}

static bool read_segments(elf_file *file)
{
    ElfW(Ehdr) header;
    if (!read_at(file, &header, sizeof header, 0) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        header.e_phentsize != sizeof file->segments[0] || header.e_phnum > SEGMENT_COUNT_MAX)
        return false;
    file->segment_count = header.e_phnum;
    return read_at(file, file->segments, file->segment_count * sizeof file->segments[0],
                   header.e_phoff);
}

/* Where in the file lies what will lie at `address`? */
static bool find_offset(const elf_file *file, uint64_t address, uint64_t *offset)
{
    for (size_t i = 0; i < file->segment_count; i++) {
        const ElfW(Phdr) *segment = &file->segments[i];
        if (segment->p_type != PT_LOAD || address < segment->p_vaddr ||
            address - segment->p_vaddr >= segment->p_filesz)
            continue;
        *offset = segment->p_offset + (address - segment->p_vaddr);
        return true;
    }
    return false;
}

typedef struct needs {
    ElfW(Dyn) * entries; /* of the dynamic section */
    size_t entry_count;
    char *names; /* its string table, with a NUL behind */
    size_t names_bytes;
} needs;

static bool read_names(const elf_file *file, needs *out)
{
    uint64_t address = 0, offset = 0;
    for (size_t i = 0; i < out->entry_count; i++) {
        if (out->entries[i].d_tag == DT_STRTAB)
            address = out->entries[i].d_un.d_ptr;
        if (out->entries[i].d_tag == DT_STRSZ)
            out->names_bytes = out->entries[i].d_un.d_val;
    }
    if (out->names_bytes == 0 || out->names_bytes > NAMES_BYTES_MAX ||
        !find_offset(file, address, &offset))
        return false;
    out->names = ir_calloc(1, out->names_bytes + 1);
    return out->names && read_at(file, out->names, out->names_bytes, offset);
}

static bool read_needs(const elf_file *file, needs *out)
{
    for (size_t i = 0; i < file->segment_count; i++) {
        const ElfW(Phdr) *segment = &file->segments[i];
        if (segment->p_type != PT_DYNAMIC)
            continue;
        out->entry_count = segment->p_filesz / sizeof *out->entries;
        if (out->entry_count == 0 || out->entry_count > DYNAMIC_COUNT_MAX)
            return false;
        out->entries = ir_calloc(out->entry_count, sizeof *out->entries);
        return out->entries &&
               read_at(file, out->entries, out->entry_count * sizeof *out->entries,
                       segment->p_offset) &&
               read_names(file, out);
    }
    return false;
}

/* A library that the process must not have beside `needed`. */
typedef struct rival {
    const char *needed, *stem;
    char found[1024]; /* path, "" when there is none */
} rival;

static int look_at_loaded(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    rival *r = context;
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = slash ? slash + 1 : info->dlpi_name;
    if (strncmp(name, r->stem, strlen(r->stem)) != 0 || strcmp(name, r->needed) == 0)
        return 0; /* the same name: the dynamic linker takes the one that is there */
    strncpy(r->found, info->dlpi_name, sizeof r->found - 1);
    return 1;
}

static int32_t check_name(const char *needed, const char *path, imgret_error *error)
{
    for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++) {
        if (strncmp(needed, alone[i], strlen(alone[i])) != 0)
            continue;
        rival r = {.needed = needed, .stem = alone[i]};
        dl_iterate_phdr(look_at_loaded, &r);
        if (r.found[0])
            return ir_fail(error, IMGRET_UNSUPPORTED,
                           "plugin %s needs %s, but this process has another one loaded, %s, and "
                           "there cannot be two: build the plugin for that one, or use another "
                           "process",
                           path, needed, r.found);
    }
    return IMGRET_OK;
}

int32_t ir_plugin_check_needs(const char *path, imgret_error *error)
{
    elf_file file = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (file.fd < 0)
        return IMGRET_OK;
    needs found = {0};
    int32_t status = IMGRET_OK;
    if (read_segments(&file) && read_needs(&file, &found))
        for (size_t i = 0; i < found.entry_count && !status; i++)
            if (found.entries[i].d_tag == DT_NEEDED &&
                found.entries[i].d_un.d_val < found.names_bytes)
                status = check_name(found.names + found.entries[i].d_un.d_val, path, error);
    close(file.fd);
    ir_free(found.entries);
    ir_free(found.names);
    return status;
}
