/* lapack.c: the two routines of BLAS and LAPACK that we use, loaded when first asked for.
 *
 * Loaded, not linked: OpenBLAS makes its threads and takes its buffers as soon as it is mapped, which
 * costs a program that never learns a PCA 2 to 7 ms at its start and 3.5 MB. The Fortran interface
 * is the one that every BLAS and LAPACK has; its integers have 32 bits in the libraries named here.
 */
#include "linalg/linalg.h"

#include "base/alloc.h"
#include "base/error.h"

#if IR_WITH_BLAS

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

/* Lengths of the character arguments follow at the end. */
typedef void (*syrk_fn)(const char *triangle, const char *transposed, const int *n, const int *k,
                        const double *alpha, const double *a, const int *a_stride,
                        const double *beta, double *c, const int *c_stride, size_t, size_t);
typedef void (*syevr_fn)(const char *job, const char *range, const char *triangle, const int *n,
                         double *a, const int *a_stride, const double *low, const double *high,
                         const int *first, const int *last, const double *tolerance, int *found,
                         double *values, double *vectors, const int *vectors_stride, int *support,
                         double *work, const int *work_count, int *whole_work,
                         const int *whole_work_count, int *info, size_t, size_t, size_t);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static syrk_fn syrk;
static syevr_fn syevr;

static void find_routines(void)
{
    /* The second needs the system's BLAS itself, whichever that is. */
    static const char *const names[] = {"libopenblas.so.0", "liblapack.so.3"};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !syevr; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (!library)
            continue;
        void *product = dlsym(library, "dsyrk_"), *eigen = dlsym(library, "dsyevr_");
        if (product && eigen) { /* ISO C has no cast from data to function */
            memcpy(&syrk, &product, sizeof syrk);
            memcpy(&syevr, &eigen, sizeof syevr);
        } else {
            dlclose(library);
        }
    }
}

int32_t ir_linalg_check(imgret_error *error)
{
    pthread_once(&once, find_routines);
    if (syevr)
        return IMGRET_OK;
    return ir_fail(error, IMGRET_UNSUPPORTED,
                   "neither libopenblas.so.0 nor liblapack.so.3 can be loaded: install OpenBLAS");
}

int32_t ir_linalg_add_products(double *matrix, const double *rows, uint32_t count, uint32_t n,
                               imgret_error *error)
{
    int32_t status = ir_linalg_check(error);
    if (status)
        return status;
    /* Rows of C are columns of Fortran. */
    const int size = (int)n, row_count = (int)count;
    const double one = 1.0;
    syrk("U", "N", &size, &row_count, &one, rows, &size, &one, matrix, &size, 1, 1);
    return IMGRET_OK;
}

/* What one call of dsyevr needs. */
typedef struct workspace {
    double *values; /* n: the routine may write all */
    int *support;   /* 2 x k */
    double *work;
    int *whole_work;
    int work_count, whole_work_count;
} workspace;

static int call_syevr(double *matrix, int n, int k, double *vectors, workspace *space)
{
    const int first = n - k + 1;
    const double unused = 0.0, most_accurate = 0.0;
    int found = 0, info = 0;
    syevr("V", "I", "U", &n, matrix, &n, &unused, &unused, &first, &n, &most_accurate, &found,
          space->values, vectors, &n, space->support, space->work, &space->work_count,
          space->whole_work, &space->whole_work_count, &info, 1, 1, 1);
    return info == 0 && space->work_count > 0 && found != k ? n + 1 : info;
}

static int32_t make_workspace(workspace *space, double *matrix, int n, int k, imgret_error *error)
{
    double work_size = 0.0;
    int whole_work_size = 0;
    space->values = ir_malloc_array((size_t)n, sizeof(double));
    space->support = ir_malloc_array(2 * (size_t)k, sizeof(int));
    space->work_count = space->whole_work_count = -1; /* asks how much is needed */
    space->work = &work_size;
    space->whole_work = &whole_work_size;
    int info = space->values && space->support ? call_syevr(matrix, n, k, NULL, space) : 0;
    space->work_count = (int)work_size;
    space->whole_work_count = whole_work_size;
    space->work = ir_malloc_array((size_t)work_size, sizeof(double));
    space->whole_work = ir_malloc_array((size_t)whole_work_size, sizeof(int));
    if (info)
        return ir_fail(error, IMGRET_INTERNAL, "dsyevr does not take %d of %d: %d", k, n, info);
    if (!space->values || !space->support || !space->work || !space->whole_work)
        return ir_fail(error, IMGRET_NO_MEMORY, "no memory for the eigenvectors of %d dimensions",
                       n);
    return IMGRET_OK;
}

static void fix_sign(double *vector, uint32_t n)
{
    uint32_t largest = 0;
    for (uint32_t i = 1; i < n; i++)
        if (fabs(vector[i]) > fabs(vector[largest]))
            largest = i;
    if (vector[largest] < 0.0)
        for (uint32_t i = 0; i < n; i++)
            vector[i] = -vector[i];
}

/* The routine gives eigenvalues ascending. */
static void put_in_order(uint32_t n, uint32_t k, const double *ascending, double *values,
                         double *vectors)
{
    for (uint32_t i = 0; i < k; i++)
        values[i] = ascending[k - 1 - i];
    for (uint32_t low = 0, high = k - 1; low < high; low++, high--)
        for (uint32_t i = 0; i < n; i++) {
            double kept = vectors[(size_t)low * n + i];
            vectors[(size_t)low * n + i] = vectors[(size_t)high * n + i];
            vectors[(size_t)high * n + i] = kept;
        }
    for (uint32_t i = 0; i < k; i++)
        fix_sign(vectors + (size_t)i * n, n);
}

int32_t ir_linalg_eigen(double *matrix, uint32_t n, uint32_t k, double *values, double *vectors,
                        imgret_error *error)
{
    int32_t status = ir_linalg_check(error);
    if (status)
        return status;
    workspace space = {0};
    status = make_workspace(&space, matrix, (int)n, (int)k, error);
    if (!status) {
        int info = call_syevr(matrix, (int)n, (int)k, vectors, &space);
        if (info)
            status = ir_fail(error, IMGRET_INTERNAL, "dsyevr failed on %u dimensions: %d", n, info);
    }
    if (!status)
        put_in_order(n, k, space.values, values, vectors);
    ir_free(space.values);
    ir_free(space.support);
    ir_free(space.work);
    ir_free(space.whole_work);
    return status;
}

#else

int32_t ir_linalg_check(imgret_error *error)
{
    return ir_fail(error, IMGRET_UNSUPPORTED, "this build has no linear algebra (WITH_BLAS=0)");
}

int32_t ir_linalg_add_products(double *matrix, const double *rows, uint32_t count, uint32_t n,
                               imgret_error *error)
{
    (void)matrix, (void)rows, (void)count, (void)n;
    return ir_linalg_check(error);
}

int32_t ir_linalg_eigen(double *matrix, uint32_t n, uint32_t k, double *values, double *vectors,
                        imgret_error *error)
{
    (void)matrix, (void)n, (void)k, (void)values, (void)vectors;
    return ir_linalg_check(error);
}

#endif
