/* isolate.h: decoding in processes of its own, confined, for a host that takes strangers' pictures. */
#ifndef IR_DECODE_ISOLATE_H
#define IR_DECODE_ISOLATE_H

#include "decode/decode.h"

/* Processes that decode, started when they are needed: as many as threads ask at once. */
typedef struct ir_isolation ir_isolation;

/* `helper` is the path of the program imgret-decode, or "auto": it is looked for beside the library, then
 * in imgret/ and lib/ there. Starts one, so that a system where that fails is told at once.
 * NOT_FOUND, UNSUPPORTED (it cannot be confined here). */
int32_t ir_isolation_create(ir_isolation **out, const char *helper, const imgret_limits *limits,
                            imgret_error *error);

/* How long a process may take for a picture: seconds of processor time (60), and by the clock (600). Before
 * other threads use it; 0 keeps what is. */
void ir_isolation_set_patience(ir_isolation *isolation, uint32_t cpu_s, uint32_t wall_s);

/* Ends the processes. No call may be running. NULL is allowed. */
void ir_isolation_free(ir_isolation *isolation);

/* As ir_decode and ir_decode_exif (`exif` may be NULL), in one of the processes. That it died of the
 * picture is BAD_IMAGE, that it took too long LIMIT; the next picture gets a new one.
 * Any thread. */
int32_t ir_isolation_decode(ir_isolation *isolation, const uint8_t *data, size_t bytes,
                            const ir_decode_options *options, ir_picture *out, ir_exif *exif,
                            imgret_error *error);

#endif
