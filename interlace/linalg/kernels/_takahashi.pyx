# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Pattern of a sparse Cholesky factor, and the inverse on that pattern.

Columns are compressed, rows increasing within a column, the diagonal entry first. Every function
is described by a few lines of numpy in ``tests/helpers/numpy_kernels.py``.
"""

from scipy.linalg.cython_blas cimport dgemm, dsymm, dtrsm
from scipy.linalg.cython_lapack cimport dpotri


def elimination(const long long[::1] indptr, const int[::1] indices, int[::1] parent,
                int[::1] mark, long long[::1] counts):
    """Elimination tree (-1 at roots) and entries per column of L, M symmetric by its full pattern.

    mark (q,) is work space.
    """
    cdef Py_ssize_t q = parent.shape[0], k, e
    cdef int i
    with nogil:
        for k in range(q):
            parent[k] = -1
            mark[k] = k
            counts[k] = 1
            for e in range(indptr[k], indptr[k + 1]):
                i = indices[e]
                if i >= k:
                    continue
                while mark[i] != k:
                    if parent[i] == -1:
                        parent[i] = k
                    counts[i] += 1
                    mark[i] = k
                    i = parent[i]


def factor_pattern(const long long[::1] indptr, const int[::1] indices, const int[::1] parent,
                   int[::1] mark, long long[::1] next_entry, int[::1] L_indices):
    """Rows of each column of L; next_entry (q,) starts as the column pointers and is used up."""
    cdef Py_ssize_t q = parent.shape[0], k, e
    cdef int i
    with nogil:
        for k in range(q):
            mark[k] = k
            L_indices[next_entry[k]] = k
            next_entry[k] += 1
            for e in range(indptr[k], indptr[k + 1]):
                i = indices[e]
                if i >= k:
                    continue
                while mark[i] != k:
                    L_indices[next_entry[i]] = k
                    next_entry[i] += 1
                    mark[i] = k
                    i = parent[i]


def embed(const long long[::1] indptr, const int[::1] indices, const long long[::1] own_indptr,
          const int[::1] own_indices, const double[::1] values, double[::1] out):
    """out = the values of a factor (own pattern, rows increasing) on the pattern, 0 elsewhere.

    Own entries off the pattern, zeros by construction, are passed over.
    """
    cdef Py_ssize_t j, e, o
    with nogil:
        for j in range(indptr.shape[0] - 1):
            o = own_indptr[j]
            for e in range(indptr[j], indptr[j + 1]):
                while o < own_indptr[j + 1] and own_indices[o] < indices[e]:
                    o += 1
                if o < own_indptr[j + 1] and own_indices[o] == indices[e]:
                    out[e] = values[o]
                else:
                    out[e] = 0.0


cdef Py_ssize_t find(const int* rows, Py_ssize_t begin, Py_ssize_t end, int row) noexcept nogil:
    """Position of `row`, present in the increasing rows[begin:end], by doubling steps."""
    cdef Py_ssize_t step = 1, low = begin, high, middle
    while low + step < end and rows[low + step] < row:
        low += step
        step *= 2
    high = min(low + step, end - 1)
    while low < high:
        middle = (low + high) // 2
        if rows[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low


def takahashi(const long long[::1] indptr, const int[::1] indices, const double[::1] L,
              const int[::1] starts, const int[::1] member, double[::1] S, double[::1] front,
              double[::1] panel, double[::1] product, double[::1] corner, int[::1] place):
    """S = (LL')^{-1} on the pattern of L, supernode by supernode from the last one.

    A supernode J = starts[s]:starts[s + 1] is a run of columns with the same rows P below;
    member[j] is the supernode of column j. With X = L_PJ L_JJ^{-1}:
    S_PJ = -S_PP X and S_JJ = (L_JJ L_JJ')^{-1} - X'S_PJ.
    Work space for the largest m = |P|, w = |J|: front m², panel and product m w, corner w², place m.
    """
    cdef Py_ssize_t s, t, first, last, top, base, at, here
    cdef int j, r, c, w, m, i, info
    cdef double one = 1.0, zero = 0.0, minus = -1.0
    cdef const int* rows
    with nogil:
        for s in range(starts.shape[0] - 2, -1, -1):
            first = starts[s]
            last = starts[s + 1]
            w = last - first
            m = indptr[last] - indptr[last - 1] - 1
            rows = &indices[indptr[last] - m]
            c = 0
            while c < m:
                t = member[rows[c]]
                top = starts[t]
                base = indptr[top]
                at = base
                for i in range(c, m):
                    at = find(&indices[0], at, indptr[top + 1], rows[i])
                    place[i] = at - base
                while c < m and member[rows[c]] == t:
                    # rows of column j are those of the supernode's first column from j - top on
                    j = rows[c] - top
                    here = indptr[rows[c]] - j
                    for i in range(c, m):
                        front[i + c * <Py_ssize_t>m] = S[here + place[i]]
                    c += 1
            for j in range(w):
                here = indptr[first + j] - j
                for i in range(j, w):
                    corner[i + j * w] = L[here + i]
                for i in range(m):
                    panel[i + j * <Py_ssize_t>m] = L[here + w + i]
            if m > 0:
                dtrsm("R", "L", "N", "N", &m, &w, &one, &corner[0], &w, &panel[0], &m)
                dsymm("L", "L", &m, &w, &minus, &front[0], &m, &panel[0], &m, &zero,
                      &product[0], &m)
            dpotri("L", &w, &corner[0], &w, &info)
            if m > 0:
                for j in range(w):
                    for i in range(j):
                        corner[i + j * w] = corner[j + i * w]
                dgemm("T", "N", &w, &w, &m, &minus, &panel[0], &m, &product[0], &m, &one,
                      &corner[0], &w)
            for j in range(w):
                here = indptr[first + j] - j
                for i in range(j, w):
                    S[here + i] = corner[i + j * w]
                for i in range(m):
                    S[here + w + i] = product[i + j * <Py_ssize_t>m]
