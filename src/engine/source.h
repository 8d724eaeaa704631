/* source.h: from an imgret_input to what the model sees: read, hash, decode, prepare. */
#ifndef IR_ENGINE_SOURCE_H
#define IR_ENGINE_SOURCE_H

#include "analyze/analyze.h"
#include "decode/isolate.h"
#include "extract/extract.h"

#include <imgret/imgret.h>
#include <stdbool.h>
#include <stddef.h>

/* The encoded bytes of a FILE or BYTES input, or the pixels of a PIXELS input, not yet decoded. */
typedef struct ir_source {
    const imgret_input *input;
    const uint8_t *data; /* BYTES: the caller's */
    uint8_t *owned;      /* FILE: read into memory; freed by ir_source_close */
    size_t data_bytes;
    uint8_t content_hash[16];
    /* How many times as many pixels as the extractor (or a look) needs of the whole are decoded on a
     * side, for parts to have enough: ir_regions_zoom. 0: once; UINT32_MAX: all there are. */
    uint32_t zoom_columns;
    uint32_t zoom_rows;
    ir_isolation *isolation; /* decodes it; NULL: this process does */
} ir_source;

/* What a picture looks like, what its camera wrote, and what the model's head says that it is. May be
 * copied as it is. */
typedef struct ir_look {
    bool there; /* the next two are filled */
    imgret_attributes attributes;
    ir_exif exif;
    char label[IR_LABEL_BYTES_MAX + 1]; /* "": none */
    float label_score;
} ir_look;

/* The attributes, their texts pointing into `look`; NULL when it is not filled. */
const imgret_attributes *ir_look_attributes(ir_look *look);

/* Writes down what `extractor`, which has labels, says of the picture. */
void ir_look_set_label(ir_look *look, const ir_extractor *extractor, const ir_label *label);

/* What became known of a picture on its way to the model. */
typedef struct ir_source_picture {
    uint32_t width; /* pixels, upright, as encoded */
    uint32_t height;
    const char *format;     /* static text */
    ir_look *look;          /* the caller's, filled while it is decoded; NULL: not wanted */
    ir_analyzer **analyzer; /* with `look`: made when NULL, the caller frees it */
    /* Gets the decoded picture once the whole is prepared; its failure is the call's. NULL: none. */
    int32_t (*on_pixels)(void *context, const ir_picture *pixels, imgret_error *error);
    void *context;
} ir_source_picture;

/* Copies a caller's input of any size into `out` and checks that its kind and pointers make sense.
 * `kinds` is a bit set (1 << IMGRET_INPUT_*) of what the call accepts. */
int32_t ir_source_read_input(imgret_input *out, const imgret_input *given, uint32_t kinds,
                             imgret_error *error);

/* Reads a file when it is one, and hashes the content. `input`, and `isolation` unless it is NULL, must
 * outlive the source. */
int32_t ir_source_open(ir_source *out, const imgret_input *input, const imgret_limits *limits,
                       ir_isolation *isolation, imgret_error *error);
void ir_source_close(ir_source *source);

/* Decodes for an extractor (NULL: for looking at it only). ir_picture_free. */
int32_t ir_source_decode(const ir_source *source, const ir_extractor *extractor,
                         const imgret_limits *limits, ir_picture *out, imgret_error *error);

/* Decodes, looks at the picture when out->look is given, and prepares for `extractor` (NULL: does
 * not) into `prepared` (ir_extractor_input_bytes). */
int32_t ir_source_prepare(const ir_source *source, const ir_extractor *extractor,
                          const imgret_limits *limits, uint8_t *prepared, ir_source_picture *out,
                          imgret_error *error);

#endif
