/* worker.h: what isolate.c and the program imgret-decode say to each other. */
#ifndef IR_DECODE_WORKER_H
#define IR_DECODE_WORKER_H

#include "decode/decode.h"

/* Descriptors that the program finds open. */
enum {
    IR_WORKER_SOCKET = 3, /* a request, then a reply, and so on until the other end is closed */
    IR_WORKER_INPUT = 4,  /* the encoded picture, from the start */
    IR_WORKER_OUTPUT = 5  /* rows of RGB, from the start */
};

typedef struct ir_worker_request {
    ir_decode_options options;
    uint64_t bytes; /* in IR_WORKER_INPUT */
} ir_worker_request;

/* Made by a process that a hostile picture may have taken over: nothing in it is trusted. */
typedef struct ir_worker_reply {
    int32_t status;
    uint32_t width;
    uint32_t height;
    uint32_t source_width;
    uint32_t source_height;
    ir_exif exif;
    char message[sizeof((imgret_error *)0)->message];
} ir_worker_reply;

#endif
