/* pca.c: learning principal components. */
#include "api/handle.h"

#include "base/error.h"
#include "extract/extract.h"

int32_t imgret_pca_train(const char *path, const float *vectors, uint64_t count,
                         uint32_t vector_dimension, const imgret_pca_options *options,
                         double *variance_kept, imgret_error *error)
{
    imgret_pca_options wanted;
    if (variance_kept)
        *variance_kept = 0.0;
    int32_t status = ir_options_read(&wanted, sizeof wanted, sizeof wanted, options,
                                     "imgret_pca_options", error);
    if (!status && (!path || !path[0]))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "the path to write to is empty");
    if (!status)
        status = ir_handle_need(vectors, "vectors", error);
    if (!status && (wanted.flags & ~IMGRET_PCA_WHITEN))
        status = ir_fail(error, IMGRET_INVALID_ARGUMENT, "imgret_pca_options.flags is 0x%x",
                         wanted.flags);
    if (status)
        return status;
    if (wanted.dimension == 0)
        wanted.dimension = 128;
    return ir_extract_learn_pca(path, vectors, count, vector_dimension, &wanted, variance_kept,
                                error);
}
