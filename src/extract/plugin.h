/* plugin.h: backend plugins: finding their files, loading each once, checking their tables. */
#ifndef IR_EXTRACT_PLUGIN_H
#define IR_EXTRACT_PLUGIN_H

#include <imgret/backend.h>

/* Both search the folders of plugin_path (may be NULL; separated by ':'), of the environment
 * variable IMGRET_PLUGIN_PATH, then the installed folder. What they return lives as long as the
 * process. Any thread. */

/* The plugin imgret_NAME.so; the first file of that name decides. NOT_FOUND names it and the
 * folders, BAD_MODEL says why it cannot be used. */
int32_t ir_plugin_find(const imgret_backend **out, const char *name, const char *plugin_path,
                       imgret_error *error);

/* The first plugin whose `extensions` hold the ending of `weights`; folders in order, names in
 * alphabetical order. Plugins that cannot be used are passed over, with a warning in the log. */
int32_t ir_plugin_find_for_file(const imgret_backend **out, const char *weights,
                                const char *plugin_path, imgret_error *error);

#endif
