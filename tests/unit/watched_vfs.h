/* watched_vfs.h: a layer under file operations, SQLite's and the library's own, that lets them fail, or
 * records them. The library's own are caught by the linker (--wrap): see watched_files.c. */
#ifndef IR_TESTS_WATCHED_VFS_H
#define IR_TESTS_WATCHED_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the layer SQLite's default; before anything is opened, once a process. */
void watched_vfs_install(void);

/* ---- failing ---- */

typedef enum watched_vfs_fault {
    WATCHED_VFS_EIO,       /* the n-th operation only */
    WATCHED_VFS_EIO_STUCK, /* and all that follow */
    WATCHED_VFS_FULL,      /* writes from the n-th operation on: the disk is full */
    WATCHED_VFS_NOTHING,   /* the same, but they take nothing and give no reason */
    WATCHED_VFS_SHORT, /* the n-th operation, if it is a write of the library's own, takes half */
    WATCHED_VFS_FAULT_COUNT
} watched_vfs_fault;

/* Operations are opens, reads (those of io_uring too), writes, truncations, syncs, renames, deletions, links,
 * new folders, listings of folders, the same through stdio, and mappings of shared memory.
 * The n-th from now fails (1 is the next); 0: none does. Counts begin anew. */
void watched_vfs_fail(watched_vfs_fault fault, uint64_t n);
uint64_t watched_vfs_operation_count(void); /* since watched_vfs_fail */
bool watched_vfs_has_failed(void);          /* whether one did */
uint64_t watched_vfs_failed_reads(void); /* of segments, by io_uring or threads, since the start */

/* ---- recording ---- */

typedef enum watched_vfs_event_kind {
    WATCHED_VFS_WRITE,
    WATCHED_VFS_TRUNCATE,
    WATCHED_VFS_SYNC,
    WATCHED_VFS_SYNC_FOLDER, /* the one that holds `file`: names made and deleted are durable */
    WATCHED_VFS_DELETE,
    WATCHED_VFS_RENAME, /* offset: the file's number before */
    WATCHED_VFS_LINK,   /* the same, and the other name stays */
    WATCHED_VFS_FOLDER, /* `file` is a new folder */
    WATCHED_VFS_MARK    /* by the test */
} watched_vfs_event_kind;

typedef struct watched_vfs_event {
    watched_vfs_event_kind kind;
    uint32_t file;   /* index of its path */
    uint64_t offset; /* TRUNCATE: the new size; MARK: its number */
    size_t bytes;
    uint8_t *data;
} watched_vfs_event;

/* Starts and ends recording; one thread. */
void watched_vfs_record(bool on);
void watched_vfs_mark(uint64_t number);
const watched_vfs_event *watched_vfs_events(size_t *count);
const char *watched_vfs_file(uint32_t file); /* its path; NULL: there are no more */
void watched_vfs_forget(void);               /* frees what was recorded */

/* ---- for watched_files.c ---- */

typedef enum watched_vfs_way {
    WATCHED_VFS_READS,
    WATCHED_VFS_WRITES,
    WATCHED_VFS_DELETES
} watched_vfs_way;

/* Counts an operation; the errno it must fail with, or 0. NOTHING and SHORT come as -1 and -2. */
int watched_vfs_count(watched_vfs_way way);
void watched_vfs_count_read(void); /* one of watched_vfs_failed_reads */
bool watched_vfs_is_failing(void); /* whether counting may make something fail */
bool watched_vfs_is_recording(void);
void watched_vfs_note(watched_vfs_event_kind kind, const char *path, uint64_t offset,
                      const void *data, size_t bytes);
uint32_t watched_vfs_number(const char *path);

#endif
