/* sharing.c: whether the threads of a model work on a single picture together: settled by the clock. */
#include "torch/sharing.h"

enum {
    FIRST_COUNT = 4, /* pictures before the other way is tried at all */
    TRY_COUNT = 64,  /* times what the other way costs more: pictures between two tries */
    TRY_COUNT_MAX = 4096
};

/* Sharing takes all cores from everybody else: it has to be worth that. */
#define GAIN_MIN 1.1

static bool is_time_to_try(const ir_torch_sharing *sharing)
{
    double ours_us = sharing->took_us[sharing->shares];
    double other_us = sharing->took_us[!sharing->shares];
    if (other_us <= 0)
        return sharing->run_count >= FIRST_COUNT;
    double pause = TRY_COUNT * (other_us > ours_us ? other_us / ours_us : 1);
    return sharing->run_count >= (pause < TRY_COUNT_MAX ? pause : TRY_COUNT_MAX);
}

bool ir_torch_sharing_next(const ir_torch_sharing *sharing)
{
    return sharing->shares != is_time_to_try(sharing);
}

/* Other load only ever slows a picture down: what is shorter counts at once, what is longer slowly. */
static double blended_us(double known_us, double took_us)
{
    return known_us <= 0 || took_us < known_us ? took_us : known_us + (took_us - known_us) / 4;
}

void ir_torch_sharing_took(ir_torch_sharing *sharing, bool shared, double took_us)
{
    if (shared == sharing->shares) {
        sharing->run_count += sharing->run_count < TRY_COUNT_MAX;
    } else if (!sharing->is_warm) {
        sharing->is_warm = true;
        return;
    } else {
        sharing->run_count = 0;
    }
    sharing->took_us[shared] = blended_us(sharing->took_us[shared], took_us);
    if (sharing->took_us[0] > 0 && sharing->took_us[1] > 0) {
        bool shares = sharing->took_us[1] * GAIN_MIN < sharing->took_us[0];
        sharing->run_count = shares == sharing->shares ? sharing->run_count : 0;
        sharing->shares = shares;
    }
}
