/* Least squares with weights that are not negative. */
#ifndef SPN_LATENCY_NNLS_H
#define SPN_LATENCY_NNLS_H

enum { SPN_NNLS_MAX = 96 };

/* The x >= 0 that minimises |A x - b|^2, given gram = A^T A (n x n, row by row) and moment = A^T b: the active-set
 * method of Lawson and Hanson (Solving Least Squares Problems, 1974, chapter 23) on the normal equations. A column that
 * depends on others keeps weight 0. n <= SPN_NNLS_MAX. */
void spn_nnls(int n, const double *gram, const double *moment, double *x);

/* The inverse of a symmetric positive matrix with a small ridge (1e-9 of its diagonal), n x n; columns whose diagonal
 * is 0 get zeros. */
void spn_inverse(int n, const double *matrix, double *out);

#endif
