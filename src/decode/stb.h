/* stb.h: between the header checks (stb_check.c) and the decoding (stb.c) of stb_image's formats. */
#ifndef IR_DECODE_STB_H
#define IR_DECODE_STB_H

#include "decode/codec.h"

/* What a header says, before stb_image sees the file. */
typedef struct ir_stb_header {
    uint64_t width;
    uint64_t height;
    bool is_mirrored;     /* TGA: pixels run from right to left, which stb_image ignores */
    size_t psd_pixels_at; /* PSD: offset of the merged picture's compression field */
} ir_stb_header;

/* Reads the size from the header, and refuses what stb_image would decode wrongly: by
 * IMGRET_UNSUPPORTED when the file is right, by IMGRET_BAD_IMAGE when it is not. */
int32_t ir_stb_check(const ir_decode_job *job, ir_stb_header *out, imgret_error *error);

/* The same for the segments of a JPEG, in builds without libjpeg-turbo. */
int32_t ir_stb_check_jpeg(const ir_decode_job *job, imgret_error *error);

/* The same for PSD; called by ir_stb_check. */
int32_t ir_stb_check_psd(const ir_decode_job *job, ir_stb_header *out, imgret_error *error);

/* Writes a checked PSD anew with its three colour channels alone; *out is freed with ir_free. */
int32_t ir_stb_trim_psd(const ir_decode_job *job, const ir_stb_header *header, uint8_t **out,
                        size_t *out_bytes, imgret_error *error);

#endif
