/* plugin_store.h: the plugins that this process has loaded; each file is loaded once, for ever. */
#ifndef IR_EXTRACT_PLUGIN_STORE_H
#define IR_EXTRACT_PLUGIN_STORE_H

#include <imgret/backend.h>

/* The checked table of plugin file `path`, whose name says that it is backend `name`. A plugin
 * that was refused is not called again: the same error is given again. Any thread. */
int32_t ir_plugin_load(const imgret_backend **out, const char *path, const char *name,
                       imgret_error *error);

#endif
