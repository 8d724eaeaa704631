/* export.h: a database as lines of JSON and a matrix, and back: docs/export.md. */
#ifndef IR_ENGINE_EXPORT_H
#define IR_ENGINE_EXPORT_H

#include "engine/database.h"

/* Names of the files; the manifest is written last. */
#define IR_EXPORT_MANIFEST "manifest.json"
#define IR_EXPORT_IMAGES "images.ndjson"
#define IR_EXPORT_VECTORS "vectors.npy"
#define IR_EXPORT_VERDICTS "verdicts.ndjson" /* only where there are some */
#define IR_EXPORT_PCA "pca.imgret-pca"

/* `options` has passed ir_options_read. */
int32_t ir_export(ir_database *database, const char *folder, const imgret_transfer_options *options,
                  imgret_error *error);
int32_t ir_import_folder(const char *path, const char *folder,
                         const imgret_transfer_options *options, imgret_error *error);

#endif
