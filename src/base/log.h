/* log.h: messages to the host's log callback, silent by default. */
#ifndef IR_BASE_LOG_H
#define IR_BASE_LOG_H

#include <imgret/imgret.h>

/* Formats and delivers one line, if the host listens at `level`. Any thread. */
void ir_log(int32_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a finished line; given to backend plugins. */
void ir_log_line(int32_t level, const char *message);

#endif
