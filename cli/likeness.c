/* likeness.c: what scores mean, as far as it was calibrated. */
#include "likeness.h"

#include "json.h"

#include <math.h>
#include <stdio.h>

bool cli_likeness_score(imgret *db, uint32_t level, double *out, imgret_error *error)
{
    imgret_calibration known = {.size = sizeof known};
    if (imgret_get_calibration(db, &known, error) != IMGRET_OK)
        return false;
    *out = level == IMGRET_LIKENESS_SAME   ? known.same_score
           : level == IMGRET_LIKENESS_NEAR ? known.near_score
                                           : known.similar_score;
    return true;
}

void cli_likeness_print(imgret *db, cli_form form)
{
    static const char *const names[] = {"same_score", "near_score", "similar_score"};
    double scores[] = {NAN, NAN, NAN};
    for (uint32_t i = 0; i < 3; i++) {
        bool known = cli_likeness_score(db, IMGRET_LIKENESS_SAME - i, &scores[i], NULL);
        if (form == CLI_FORM_JSON) {
            cli_json_number(names[i], scores[i]);
        } else if (known) {
            char text[32];
            snprintf(text, sizeof text, "%.4f", scores[i]);
            printf(form == CLI_FORM_TABLE ? "%-16s " : "%s\t", names[i]);
            cli_output_path_line(form, text);
        }
    }
}
