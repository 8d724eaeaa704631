/* plugin_needs.h: whether a plugin's libraries can live beside what the process has loaded. */
#ifndef IR_EXTRACT_PLUGIN_NEEDS_H
#define IR_EXTRACT_PLUGIN_NEEDS_H

#include <imgret/imgret.h>

/* UNSUPPORTED when plugin file `path` needs a libtorch and the process has another one loaded (a
 * Python that imported its own torch): both share C++ symbols, so that loading the second ends in an
 * abort. A file that cannot be read or is no ELF file of this machine is left to dlopen. Any thread. */
int32_t ir_plugin_check_needs(const char *path, imgret_error *error);

#endif
