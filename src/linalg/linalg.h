/* linalg.h: dense linear algebra by LAPACK. The room's only face. */
#ifndef IR_LINALG_LINALG_H
#define IR_LINALG_LINALG_H

#include <imgret/imgret.h>
#include <stddef.h>

/* All of these: any thread. IMGRET_UNSUPPORTED names the library that is missing, or says that the
 * build was made without. Two runs on one machine agree to the last bit as long as the BLAS uses
 * the same number of threads. */

/* Makes sure that the functions below can be used. */
int32_t ir_linalg_check(imgret_error *error);

/* Adds the products of `count` rows to a symmetric n x n matrix: matrix += rows^T rows; only the
 * triangle that ir_linalg_eigen reads is written. */
int32_t ir_linalg_add_products(double *matrix, const double *rows, uint32_t count, uint32_t n,
                               imgret_error *error);

/* The `k` largest eigenvalues of a symmetric n x n matrix, descending, and their eigenvectors as k
 * rows of n, of length 1 and with a positive component of largest magnitude (the first of several):
 * that fixes the sign, which is otherwise the library's mood. `matrix` is destroyed. 1 <= k <= n. */
int32_t ir_linalg_eigen(double *matrix, uint32_t n, uint32_t k, double *values, double *vectors,
                        imgret_error *error);

#endif
