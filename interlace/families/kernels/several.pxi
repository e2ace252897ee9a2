# A family as several.hpp has it, from the tuple that `compiled.Kind` is.

cdef extern from "several.hpp" namespace "several" nogil:
    cdef cppclass Kind:
        int base
        int zeros
        int par_at
        int zi_at
        double par
        double zi
        double par_factor


cdef Kind kind_of(tuple spec):
    cdef Kind kind
    kind.base, kind.zeros, kind.par_at, kind.zi_at = spec[0], spec[1], spec[2], spec[3]
    kind.par, kind.zi, kind.par_factor = spec[4], spec[5], spec[6]
    return kind
