/* watched_vfs.h: a layer under SQLite's file operations that lets them fail, or records them. */
#ifndef IR_TESTS_WATCHED_VFS_H
#define IR_TESTS_WATCHED_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the layer SQLite's default; before anything is opened, once a process. */
void watched_vfs_install(void);

/* ---- failing ---- */

typedef enum watched_vfs_fault {
    WATCHED_VFS_EIO,        /* the n-th operation only */
    WATCHED_VFS_EIO_STUCK,  /* and all that follow */
    WATCHED_VFS_FULL,       /* writes from the n-th operation on: the disk is full */
    WATCHED_VFS_FAULT_COUNT
} watched_vfs_fault;

/* Operations are opens, reads, writes, truncations, syncs, deletions and mappings of shared memory.
 * The n-th from now fails (1 is the next); 0: none does. Counts begin anew. */
void watched_vfs_fail(watched_vfs_fault fault, uint64_t n);
uint64_t watched_vfs_operation_count(void); /* since watched_vfs_fail */
bool watched_vfs_has_failed(void);          /* whether one did */

/* ---- recording ---- */

typedef enum watched_vfs_event_kind {
    WATCHED_VFS_WRITE,
    WATCHED_VFS_TRUNCATE,
    WATCHED_VFS_SYNC,
    WATCHED_VFS_SYNC_FOLDER, /* the one that holds `file`: names made and deleted are durable */
    WATCHED_VFS_DELETE,
    WATCHED_VFS_MARK /* by the test */
} watched_vfs_event_kind;

typedef struct watched_vfs_event {
    watched_vfs_event_kind kind;
    uint32_t file; /* index of its path */
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

#endif
