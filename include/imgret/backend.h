/* backend.h: what a backend plugin gives libimgret: a small table of C functions.
 *
 * A backend turns pixels into feature vectors. libimgret decodes, orients, resizes and crops; the
 * backend receives 8-bit RGB of exactly the size it described, does its own normalisation and
 * runs the model. Plugins are shared objects named imgret_NAME.so, found in the folders of
 * imgret_open_options.plugin_path, of the environment variable IMGRET_PLUGIN_PATH, beside the library
 * (imgret/), then in the installed folder. They are loaded with RTLD_LOCAL and never unloaded, and export one symbol,
 * IMGRET_BACKEND_ENTRY, of type imgret_backend_entry_fn.
 *
 * Rules for a backend: no C++ exception, abort or print may leave it; every function that can fail
 * returns a status of imgret.h and fills `error`; strings it returns live as long as what they
 * describe.
 */
#ifndef IMGRET_BACKEND_H
#define IMGRET_BACKEND_H

#include <imgret/imgret.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a change breaks plugins built before it; a table of another version is refused.
 * Within a version the structs grow at their end alone, and `size` says how far one reaches: a host
 * takes what an older plugin's table lacks as NULL, a plugin fills no more of a struct than the host
 * has. */
#define IMGRET_BACKEND_ABI 1u

/* How the host brings a picture to input_width x input_height. */
#define IMGRET_RESIZE_SQUASH 1u       /* each side to its own target, ignoring the aspect ratio */
#define IMGRET_RESIZE_SHORTER_SIDE 2u /* shorter side to resize_px, then crop the centre */
#define IMGRET_RESIZE_LETTERBOX 3u    /* all of it, ratio kept, the rest filled with pad_rgb */

/* Where RESIZE_LETTERBOX puts the picture. */
#define IMGRET_PLACE_CENTRE 0u
#define IMGRET_PLACE_TOP_LEFT 1u

#define IMGRET_FILTER_BILINEAR 1u /* antialiased, support and rounding as PIL's */
#define IMGRET_FILTER_BICUBIC 2u  /* the same, a = -0.5 */

/* What the first four values of a detection say; the host makes boxes of them. */
#define IMGRET_BOXES_GRID \
    1u /* x, y: offset from the anchor's cell, in cells; logarithm of width and
                                  height in cells. The cells of the first stride row by row, then
                                  those of the next (YOLOX, Ge et al. 2021) */
#define IMGRET_BOXES_CENTRE 2u /* centre x, y, width, height in pixels of the input */

#define IMGRET_BACKEND_STRIDES_MAX 8u

typedef struct imgret_backend_model imgret_backend_model; /* the backend's own */

typedef struct imgret_backend_info {
    uint32_t size;         /* sizeof(imgret_backend_info), set by the host */
    uint32_t dimension;    /* floats in an embedding, 1..65,536; 0: a detector, without run */
    uint32_t class_count;  /* floats in a picture's logits; 0: the model has no head */
    uint32_t input_width;  /* pixels */
    uint32_t input_height; /* pixels */
    uint32_t batch_max;    /* largest batch that run accepts, at least 1 */
    uint32_t resize;       /* IMGRET_RESIZE_* */
    uint32_t resize_px;    /* RESIZE_SHORTER_SIDE: length of the shorter side in pixels */
    uint32_t filter;       /* IMGRET_FILTER_* */
    uint32_t reserved_zero;
    const char *architecture; /* "vit_tiny_patch16_224" */
    /* All that decides the vectors besides the host's preprocessing: architecture, SHA-256 of the
     * weights, normalisation, pooling. "key=value" pairs separated by ';'. */
    const char *identity;

    /* Detectors; 0 for other models, and from plugins that know nothing of them. */
    uint32_t anchor_count;    /* detections that `detect` gives for a picture; 0: no detector */
    uint32_t box_class_count; /* classes that a detection is scored for */
    uint32_t box_coding;      /* IMGRET_BOXES_* */
    uint32_t stride_count;    /* BOXES_GRID: used of `strides`, else 0 */
    uint32_t strides[IMGRET_BACKEND_STRIDES_MAX]; /* a cell's side, in pixels of the input */

    uint32_t letterbox_place; /* RESIZE_LETTERBOX: IMGRET_PLACE_* */
    uint32_t pad_rgb;         /* RESIZE_LETTERBOX: 0xRRGGBB of what the picture leaves free */

    /* Names of the classes (of a detector: of its boxes'), in order, each with a '\n' behind it;
     * NULL: the file does not tell. */
    const char *class_names;
} imgret_backend_info;

typedef struct imgret_backend_batch {
    uint32_t size;         /* sizeof(imgret_backend_batch), set by the host */
    uint32_t count;        /* pictures, 1..batch_max */
    const uint8_t *pixels; /* count x input_height x input_width x 3, RGB, packed */
    float *embeddings;     /* out: count x dimension, not normalised */
    float *logits;         /* out: count x class_count, no softmax; NULL: not wanted */
} imgret_backend_batch;

typedef struct imgret_backend_detect_batch {
    uint32_t size;         /* sizeof(imgret_backend_detect_batch), set by the host */
    uint32_t count;        /* pictures, 1..batch_max */
    const uint8_t *pixels; /* count x input_height x input_width x 3, RGB, packed */
    /* out: count x anchor_count x (5 + box_class_count): four values as box_coding says, that there
     * is an object at all (0..1), each class (0..1) given that there is one */
    float *detections;
} imgret_backend_detect_batch;

/* What a weights file holds, as far as it can be told without the file being fit for use. */
typedef struct imgret_backend_inspection {
    uint32_t size;            /* of the plugin's struct */
    int32_t status;           /* what `load` answers for the file: IMGRET_OK or its error */
    const char *reason;       /* that error's message, "" when there is none */
    const char *family;       /* option "family" that would be chosen: "vit"; "" when none fits */
    const char *naming;       /* whose names the tensors have: "timm"; "" when not known */
    const char *architecture; /* "vit_tiny_patch16_224", "" when it cannot be told */
    const char *identity;     /* as in imgret_backend_info, "" unless status is IMGRET_OK */
    /* Tensors that the architecture wants and has not, that it has no place for, and that have a
     * wrong shape ("NAME [2, 3], [3, 3] is wanted"): as the file's naming has it, '\n' behind each. */
    const char *missing;
    const char *left_over;
    const char *misshapen;
    const char *class_names;  /* as in imgret_backend_info */
    const char *notes;        /* decisions and their reasons, for people: a line each */
    uint64_t parameter_count; /* values in all tensors that have their place */
    uint64_t tensor_bytes;    /* of all tensors in the file */
    uint32_t tensor_count;    /* in the file */
    uint32_t missing_count;   /* names in `missing`, and so on */
    uint32_t left_over_count;
    uint32_t misshapen_count;
    uint32_t dimension; /* this and what follows: as in imgret_backend_info; 0: cannot be told */
    uint32_t class_count;
    uint32_t input_width;  /* pixels */
    uint32_t input_height; /* pixels */
    uint32_t anchor_count;
    uint32_t box_class_count;
} imgret_backend_inspection;

/* What the host lends to a backend; lives as long as the process. */
typedef struct imgret_backend_host {
    uint32_t size;                                   /* sizeof(imgret_backend_host) of the host */
    uint32_t abi;                                    /* IMGRET_BACKEND_ABI of the host */
    void (*log)(int32_t level, const char *message); /* any thread */
    /* SHA-256 of a regular file's bytes as 64 lower-case hexadecimal digits and a NUL. Any thread. */
    int32_t (*file_sha256)(const char *path, char hex[65], imgret_error *error);
} imgret_backend_host;

typedef struct imgret_backend {
    uint32_t size;          /* sizeof(imgret_backend) of the plugin */
    uint32_t abi;           /* IMGRET_BACKEND_ABI it was built for */
    const char *name;       /* "torch" */
    const char *version;    /* of the backend and what it stands on, for people */
    const char *extensions; /* endings of weight files it takes, separated by spaces, "" if none */

    /* Loads `path` ("" for a backend without weights). `options` is "key=value;..." or "";
     * an unknown key is IMGRET_INVALID_ARGUMENT. `threads` is how many the model may use, at
     * least 1. Any thread; several models may be loaded. */
    int32_t (*load)(imgret_backend_model **out, const char *path, const char *options,
                    uint32_t threads, imgret_error *error);

    /* Fills `out`, whose size the host has set. Any thread. */
    int32_t (*describe)(const imgret_backend_model *model, imgret_backend_info *out,
                        imgret_error *error);

    /* Runs one batch. The host never runs two batches of one model at once. */
    int32_t (*run)(imgret_backend_model *model, const imgret_backend_batch *batch,
                   imgret_error *error);

    /* Frees a model; NULL is allowed. No run may be going on. */
    void (*unload)(imgret_backend_model *model);

    /* What follows may be NULL, or lie behind the end of an older plugin's table. */

    /* Runs one batch through a detector. The host never runs two batches of one model at once, of
     * run and detect together. */
    int32_t (*detect)(imgret_backend_model *model, const imgret_backend_detect_batch *batch,
                      imgret_error *error);

    /* Looks into a file, also one that `load` refuses; `options` as there. *out is the caller's,
     * who gives it to end_inspection. An error only when the file cannot be read at all or an
     * option makes no sense. Any thread. */
    int32_t (*inspect)(imgret_backend_inspection **out, const char *path, const char *options,
                       imgret_error *error);

    /* Frees what inspect gave; NULL is allowed. Never NULL when inspect is not. */
    void (*end_inspection)(imgret_backend_inspection *inspection);
} imgret_backend;

/* Bytes that the table of every plugin of this ABI has: up to and with unload. */
#define IMGRET_BACKEND_SIZE_MIN offsetof(imgret_backend, detect)

/* Returns the plugin's table, static for the life of the process, or NULL when it cannot work with
 * this host (`error` says why). Called once. */
typedef const imgret_backend *(*imgret_backend_entry_fn)(const imgret_backend_host *host,
                                                         imgret_error *error);

#define IMGRET_BACKEND_ENTRY "imgret_backend_entry"

#ifdef __cplusplus
}
#endif

#endif
