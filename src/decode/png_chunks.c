/* png_chunks.c: walks the chunks of a PNG file and checks what must hold before it is decoded. */
#include "base/error.h"
#include "decode/codec.h"

#include <string.h>

#define SIGNATURE_BYTES 8
#define IHDR_BYTES 13

bool ir_png_next(const uint8_t *data, size_t bytes, size_t *position, ir_png_chunk *out)
{
    size_t at = *position ? *position : SIGNATURE_BYTES;
    if (at > bytes || bytes - at < 12)
        return false;
    uint32_t length = ir_load_be32(data + at);
    if (length > bytes - at - 12)
        return false;
    *out = (ir_png_chunk){.type = data + at + 4, .data = data + at + 8, .bytes = length};
    *position = at + 12 + length;
    return true;
}

/* CRC-32 of type and data, four bits at a time (PNG specification, annex D). */
static bool checksum_agrees(const ir_png_chunk *chunk)
{
    static const uint32_t table[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC,
                                       0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                       0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                       0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < (size_t)chunk->bytes + 4; i++) {
        crc ^= chunk->type[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc == ir_load_be32(chunk->data + chunk->bytes);
}

int32_t ir_png_check(const ir_decode_job *job, bool all_checksums, uint32_t *width,
                     uint32_t *height, imgret_error *error)
{
    ir_png_chunk chunk;
    size_t position = 0;
    if (!ir_png_next(job->data, job->bytes, &position, &chunk) ||
        memcmp(chunk.type, "IHDR", 4) != 0 || chunk.bytes != IHDR_BYTES)
        return ir_fail(error, IMGRET_BAD_IMAGE, "png: no header chunk");
    *width = ir_load_be32(chunk.data);
    *height = ir_load_be32(chunk.data + 4);
    do {
        bool is_critical = (chunk.type[0] & 0x20) == 0;
        /* libpng drops a damaged tRNS with a mere warning: the picture would lose its alpha. */
        bool check = (all_checksums && is_critical) || memcmp(chunk.type, "tRNS", 4) == 0;
        if (check && !checksum_agrees(&chunk))
            return ir_fail(error, IMGRET_BAD_IMAGE, "png: wrong checksum of a %.4s chunk",
                           (const char *)chunk.type);
        if (memcmp(chunk.type, "IEND", 4) == 0)
            return IMGRET_OK;
    } while (ir_png_next(job->data, job->bytes, &position, &chunk));
    return ir_fail(error, IMGRET_BAD_IMAGE, "png: cut short, no end chunk in %zu bytes",
                   job->bytes);
}
