/* file.h: reading whole files under a limit, and paths. */
#ifndef IR_BASE_FILE_H
#define IR_BASE_FILE_H

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

/* What a file is, without reading it. */
typedef struct ir_file_info {
    uint64_t bytes;
    int64_t modified_ns; /* Unix epoch */
    bool is_regular;
    bool is_folder;
} ir_file_info;

/* Follows symbolic links. */
int32_t ir_file_stat(const char *path, ir_file_info *out, imgret_error *error);

/* Reads a whole regular file of at most `bytes_max` bytes; *out is freed with ir_free. Anything
 * but a regular file is refused: reading a FIFO would wait for ever. */
int32_t ir_file_read(const char *path, uint64_t bytes_max, uint8_t **out, size_t *out_bytes,
                     imgret_error *error);

/* Reads at most `capacity` bytes from the start of a file. */
int32_t ir_file_read_head(const char *path, uint8_t *out, size_t capacity, size_t *out_bytes,
                          imgret_error *error);

/* Writes a whole file or nothing: under another name beside it, synced, then renamed. */
int32_t ir_file_write(const char *path, const uint8_t *data, size_t bytes, imgret_error *error);

/* SHA-256 of a file's bytes as 64 hexadecimal digits and a NUL. */
int32_t ir_file_sha256(const char *path, char out_hex[65], imgret_error *error);

/* The absolute path without "." and "..", its folder's symbolic links resolved but not the last
 * name's own; freed with ir_free. */
int32_t ir_path_absolute(const char *path, char **out, imgret_error *error);

/* "folder/name" in fresh memory, or NULL when out of memory. */
char *ir_path_join(const char *folder, const char *name);

#endif
