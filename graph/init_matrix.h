/* graph/init_matrix.h -- the linear algebra of two initialisers: Q of a QR factorization, and the
 * spectral radius. In place, so that an initialiser needs no memory. */
#ifndef RG_GRAPH_INIT_MATRIX_H
#define RG_GRAPH_INIT_MATRIX_H

#include <retrograd/base.h>

/* w [m,n] row-major becomes a matrix of the same size with orthonormal columns (m >= n) or rows:
 * Q·diag(sign diag R) of w = Q·R, or of wᵀ. Uniform over such matrices if w is normal. */
void rg_orthonormalize(double *w, int64_t m, int64_t n);

/* max |λ| over the eigenvalues of w [n,n], which is destroyed. false: no convergence. */
bool rg_spectral_radius(double *out, double *w, int64_t n);

#endif
