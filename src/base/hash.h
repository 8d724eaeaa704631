/* hash.h: content hash (XXH3-128) and the cryptographic identity of weights (SHA-256). */
#ifndef IR_BASE_HASH_H
#define IR_BASE_HASH_H

#include <imgret/imgret.h>
#include <stddef.h>

/* XXH3-128 in its canonical (big-endian) byte order. Not for secrets. */
void ir_content_hash(const void *data, size_t bytes, uint8_t out[16]);

/* XXH3-64 with a seed: checks pages against damage. */
uint64_t ir_hash64(const void *data, size_t bytes, uint64_t seed);

/* SHA-256, FIPS 180-4. */
typedef struct ir_sha256 {
    uint32_t state[8];
    uint64_t byte_count;
    uint8_t block[64];
    void (*compress)(uint32_t state[8], const uint8_t *blocks, size_t count);
} ir_sha256;

void ir_sha256_start(ir_sha256 *hash);

/* The same in plain C, whatever the processor can: what the other is compared with. */
void ir_sha256_start_plain(ir_sha256 *hash);
void ir_sha256_feed(ir_sha256 *hash, const void *data, size_t bytes);
void ir_sha256_finish(ir_sha256 *hash, uint8_t out[32]);

/* Writes 2 * bytes lower-case hexadecimal digits and a NUL. */
void ir_hex(const uint8_t *data, size_t bytes, char *out);

#endif
