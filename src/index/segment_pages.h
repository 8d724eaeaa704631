/* segment_pages.h: writing a segment file page by page, and the check of each page. */
#ifndef IR_INDEX_SEGMENT_PAGES_H
#define IR_INDEX_SEGMENT_PAGES_H

#include "index/segment_format.h"

#include <imgret/imgret.h>

/* The check of a page: it depends on its place, so that a page from elsewhere is found as well. */
uint32_t ir_page_check(const void *page, uint64_t page_index);

/* Writes a file under a temporary name, front to back. */
typedef struct ir_page_writer ir_page_writer;

/* Starts `path` + ".tmp" with a page of zeros for the header. */
int32_t ir_page_writer_create(ir_page_writer **out, const char *path, imgret_error *error);

/* Removes the temporary file unless it was committed. */
void ir_page_writer_free(ir_page_writer *writer);

/* NULL data: zeros. */
int32_t ir_page_write(ir_page_writer *writer, const void *data, size_t bytes, imgret_error *error);

/* Fills the page up with zeros. */
int32_t ir_page_write_end(ir_page_writer *writer, imgret_error *error);

/* Bytes written so far, the header's page included. */
uint64_t ir_page_writer_offset(const ir_page_writer *writer);

/* Reads back what was written. At whole pages only (after ir_page_write_end). Any thread. */
int32_t ir_page_read_back(ir_page_writer *writer, uint64_t offset, void *out, size_t bytes,
                          imgret_error *error);

/* Appends the checks' section, fills in `header` what concerns it, writes the header, makes the
 * file durable and gives it its name. */
int32_t ir_page_writer_commit(ir_page_writer *writer, ir_segment_header *header,
                              imgret_error *error);

#endif
