/* color_text.h: colours as people write them. */
#ifndef IR_ENGINE_COLOR_TEXT_H
#define IR_ENGINE_COLOR_TEXT_H

#include <imgret/imgret.h>

/* As imgret_parse_colors. */
int32_t ir_color_text_read(imgret_color_term *out, uint32_t capacity, uint32_t *count,
                           const char *text, imgret_error *error);

#endif
