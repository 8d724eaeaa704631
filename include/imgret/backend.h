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

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a change breaks plugins built before it; a table of another version is refused. */
#define IMGRET_BACKEND_ABI 1u

/* How the host brings a picture to input_width x input_height. */
#define IMGRET_RESIZE_SQUASH 1u       /* each side to its own target, ignoring the aspect ratio */
#define IMGRET_RESIZE_SHORTER_SIDE 2u /* shorter side to resize_px, then crop the centre */

#define IMGRET_FILTER_BILINEAR 1u /* antialiased, support and rounding as PIL's */
#define IMGRET_FILTER_BICUBIC 2u  /* the same, a = -0.5 */

typedef struct imgret_backend_model imgret_backend_model; /* the backend's own */

typedef struct imgret_backend_info {
    uint32_t size;         /* sizeof(imgret_backend_info), set by the host */
    uint32_t dimension;    /* floats in an embedding, 1..65,536 */
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
} imgret_backend_info;

typedef struct imgret_backend_batch {
    uint32_t size;         /* sizeof(imgret_backend_batch), set by the host */
    uint32_t count;        /* pictures, 1..batch_max */
    const uint8_t *pixels; /* count x input_height x input_width x 3, RGB, packed */
    float *embeddings;     /* out: count x dimension, not normalised */
    float *logits;         /* out: count x class_count; NULL: not wanted */
} imgret_backend_batch;

/* What the host lends to a backend; lives as long as the process. */
typedef struct imgret_backend_host {
    uint32_t size; /* sizeof(imgret_backend_host) of the host */
    uint32_t abi;  /* IMGRET_BACKEND_ABI of the host */
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
} imgret_backend;

/* Returns the plugin's table, static for the life of the process, or NULL when it cannot work with
 * this host (`error` says why). Called once. */
typedef const imgret_backend *(*imgret_backend_entry_fn)(const imgret_backend_host *host,
                                                         imgret_error *error);

#define IMGRET_BACKEND_ENTRY "imgret_backend_entry"

#ifdef __cplusplus
}
#endif

#endif
