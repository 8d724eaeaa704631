/* likeness_copies.c: how alike a model finds a picture and altered copies of it. */
#include "analyze/alter.h"
#include "base/alloc.h"
#include "base/error.h"
#include "decode/decode.h"
#include "engine/likeness.h"
#include "engine/prepare.h"
#include "engine/source.h"
#include "engine/stages.h"

enum { QUALITY = 50 };

/* A copy is encoded anew, or altered in one way. */
static const struct {
    ir_alteration how;
    uint32_t quality; /* of the JPEG; 0: none */
    bool same;        /* whether nobody would call it another picture */
} copies[] = {
    {IR_ALTER_NOTHING, 0, true}, /* the picture itself: what the others are compared with */
    {IR_ALTER_NOTHING, QUALITY, true}, {IR_ALTER_HALF, 0, true},
    {IR_ALTER_CUT, 0, false},          {IR_ALTER_LIGHTER, 0, false},
};

enum { COPIES = sizeof copies / sizeof copies[0] };

static int32_t prepare_copies(const ir_extractor *extractor, const ir_picture *picture,
                              uint8_t *prepared, uint32_t *which, uint32_t *count,
                              imgret_error *error)
{
    size_t bytes = ir_extractor_input_bytes(extractor);
    int32_t status = IMGRET_OK;
    *count = 0;
    for (uint32_t i = 0; i < COPIES && !status; i++) {
        ir_picture copy = {0};
        imgret_error reason = IMGRET_ERROR_INIT;
        status = ir_alter(picture, copies[i].how, &copy, error);
        int32_t encoded = !status && copies[i].quality
                              ? ir_decode_reencode(&copy, copies[i].quality, &reason)
                              : IMGRET_OK;
        /* A build without an encoder, or a picture too wide for a JPEG, has one copy fewer. */
        if (!status && !encoded) {
            status = ir_prepare(extractor, &copy, prepared + *count * bytes, error);
            which[(*count)++] = i;
        }
        ir_picture_free(&copy);
    }
    return status;
}

static int32_t add_scores(const ir_database *database, const float *rows, const uint32_t *which,
                          uint32_t count, ir_scores *same, ir_scores *near, imgret_error *error)
{
    int32_t status = IMGRET_OK;
    for (uint32_t i = 1; i < count && !status; i++)
        status = ir_scores_add(
            copies[which[i]].same ? same : near,
            ir_stages_score(database, rows, rows + (size_t)i * database->dimension), error);
    return status;
}

static int32_t compare(ir_database *database, ir_extractor *extractor, const ir_picture *picture,
                       ir_scores *same, ir_scores *near, imgret_error *error)
{
    uint32_t which[COPIES], count = 0;
    uint8_t *prepared = ir_malloc_array(COPIES, ir_extractor_input_bytes(extractor));
    float *rows = ir_malloc_array((size_t)COPIES * database->dimension, sizeof *rows);
    int32_t status = prepared && rows
                         ? prepare_copies(extractor, picture, prepared, which, &count, error)
                         : ir_fail(error, IMGRET_NO_MEMORY, "no memory for copies of a picture");
    const ir_extract_job job = {.prepared = prepared,
                                .count = count,
                                .out = rows,
                                .background = true,
                                .stop = ir_call_current_stopped};
    if (!status)
        status = ir_extractor_run_job(extractor, &job, error);
    if (!status)
        status = add_scores(database, rows, which, count, same, near, error);
    ir_free(prepared);
    ir_free(rows);
    return status;
}

int32_t ir_likeness_copies(ir_database *database, const char *path, ir_scores *same,
                           ir_scores *near, bool *used, imgret_error *error)
{
    const imgret_input input = {.size = sizeof input, .kind = IMGRET_INPUT_FILE, .path = path};
    ir_extractor *extractor;
    *used = false;
    int32_t status = ir_database_extractor(database, &extractor, error);
    if (status)
        return status;
    ir_source source;
    ir_picture picture = {0};
    imgret_error reason = IMGRET_ERROR_INIT;
    int32_t opened = ir_source_open(&source, &input, &database->limits, database->isolation,
                                    &reason);
    int32_t decoded = opened ? opened
                             : ir_source_decode(&source, extractor, &database->limits, &picture,
                                                &reason);
    if (!decoded)
        status = compare(database, extractor, &picture, same, near, error);
    else if (decoded == IMGRET_NO_MEMORY)
        status = ir_fail(error, decoded, "%s", reason.message);
    *used = !decoded && !status;
    if (!opened)
        ir_source_close(&source);
    ir_picture_free(&picture);
    ir_extractor_close(extractor);
    return status;
}
