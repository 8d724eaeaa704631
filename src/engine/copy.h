/* copy.h: files copied into a folder that is being filled. */
#ifndef IR_ENGINE_COPY_H
#define IR_ENGINE_COPY_H

#include <imgret/imgret.h>

/* Copies a file to a new one, durable on IMGRET_OK. */
int32_t ir_copy_file(const char *from_path, const char *to_path, imgret_error *error);

/* The same from folder to folder for a file that need not be there. */
int32_t ir_copy_if_there(const char *from_folder, const char *to_folder, const char *name,
                         imgret_error *error);

#endif
