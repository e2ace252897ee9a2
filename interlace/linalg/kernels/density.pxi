# Log-densities of one observation and their derivatives in the linear predictor, for the built-in
# families and links: included by the kernels that loop over rows.
#
# Everything goes through quantities that stay exact in the tails: log-probabilities for the
# binomial, the log-mean for positive means. Terms that do not depend on eta are left out.

from libc.math cimport (INFINITY, M_PI, atan, atan2, erfc, exp, expm1, fabs, log, log1p, sqrt)

cdef enum:
    BINOMIAL = 0
    POISSON = 1
    NEGATIVE_BINOMIAL = 2
    GAMMA = 3
    INVERSE_GAUSSIAN = 4
    GAUSSIAN = 5
    ORDINAL = 6

cdef enum:
    LOGIT = 0
    PROBIT = 1
    CLOGLOG = 2
    LOGLOG = 3
    CAUCHIT = 4
    LOG = 5
    POWER = 6
    NB_CANONICAL = 7

# Below this the ratio of normal density and distribution function is its asymptotic series.
cdef double PROBIT_TAIL = -30.0
# exp(-t) and t exp(-t) are zero beyond
cdef double EXP_RANGE = 745.0
# A category of the normal distribution this narrow, relative to its scale there, is integrated by
# a series about its middle.
cdef double NARROW = 0.01
# exp is finite up to here, and products with counts are
cdef double FINITE_EXP = 700.0

ctypedef struct Kind:
    int family
    int link
    double power      # of the power link, mu^power = eta
    double par        # the family's parameter (theta, shape, precision)
    double log_par
    int expected      # whether `weight` is the expected information or the observed one


cdef Kind kind_of(kernel, double par, bint expected):
    """Of a density with `family`, `link` and `power`; par is 0 or nan where it has no parameter."""
    cdef Kind kind
    kind.family, kind.link, kind.power = kernel.family, kernel.link, kernel.power
    kind.par, kind.log_par, kind.expected = par, log(par) if par > 0.0 else 0.0, expected
    return kind


ctypedef struct Row:
    double value      # part of the log-density that depends on eta ...
    double factor     # ... less the logarithm of this, which sums of rows take once for many
    double score      # its derivative in eta
    double weight     # information for the determinant
    double observed   # minus the second derivative
    double slope      # derivative of `weight`
    double value_z    # derivatives in zeta = log(parameter)
    double score_z
    double weight_z

ctypedef struct Chain:
    double d0         # a function of eta and its derivatives
    double d1
    double d2
    double d3


cdef inline void mirrored(Chain* a) noexcept nogil:
    """f(x) and its derivatives -> those of x -> f(-x), taken at -x."""
    a.d1 = -a.d1
    a.d3 = -a.d3


cdef inline void log_logistic(double eta, Chain* a) noexcept nogil:
    """log 1 / (1 + exp(-eta))."""
    cdef double e = exp(-fabs(eta)), q, p
    if eta >= 0.0:
        p = 1.0 / (1.0 + e)
        q = e * p
        a.d0 = -log1p(e)
    else:
        q = 1.0 / (1.0 + e)
        p = e * q
        a.d0 = eta - log1p(e)
    a.d1 = q
    a.d2 = -p * q
    a.d3 = -p * q * (q - p)


cdef inline void log_normal_cdf(double eta, Chain* a) noexcept nogil:
    """log Phi(eta)."""
    cdef double r, gap, s, t
    if eta > PROBIT_TAIL:
        t = 0.5 * erfc(-eta * 0.7071067811865476)
        r = 0.3989422804014327 * exp(-0.5 * eta * eta) / t
        a.d0 = log(t) if eta < 0.0 else log1p(-0.5 * erfc(eta * 0.7071067811865476))
        gap = eta + r
    else:
        s = 1.0 / (eta * eta)
        t = s * (1.0 - s * (3.0 - s * (15.0 - s * (105.0 - s * (945.0 - s * 10395.0)))))
        r = -eta / (1.0 - t)
        gap = -eta * t / (1.0 - t)
        a.d0 = -0.5 * eta * eta - 0.9189385332046727 - log(-eta) + log1p(-t)
    a.d1 = r
    a.d2 = -r * gap
    a.d3 = -(a.d2 * gap + r * (1.0 + a.d2))


cdef inline void log_exponential_cdf(double eta, Chain* a) noexcept nogil:
    """log(1 - exp(-exp(eta)))."""
    cdef double t = exp(eta), f, g
    if t > EXP_RANGE:
        a.d0 = a.d1 = a.d2 = a.d3 = 0.0
        return
    if t < 0.05:
        g = t * t
        g = -t * 0.5 - g / 12.0 + g * g / 720.0 - g * g * g / 30240.0
        f = 1.0 - t - g
        a.d0 = log(-expm1(-t)) if t > 1e-9 else eta - 0.5 * t
    else:
        f = t / expm1(t)
        g = 1.0 - t - f
        a.d0 = log(-expm1(-t)) if t < 1.0 else log1p(-exp(-t))
    a.d1 = f
    a.d2 = f * g
    a.d3 = f * (g * g - t - f * g)


cdef inline void log_cauchy_cdf(double eta, Chain* a) noexcept nogil:
    """log(1/2 + atan(eta) / pi)."""
    cdef double p, e = 1.0 / (1.0 + eta * eta), r
    p = atan(-1.0 / eta) / M_PI if eta < -1.0 else 0.5 + atan(eta) / M_PI
    r = e / (M_PI * p)
    a.d0 = log(p) if eta < 1.0 else log1p(-atan(1.0 / eta) / M_PI)
    a.d1 = r
    a.d2 = -2.0 * eta * e * r - r * r
    a.d3 = (6.0 * eta * eta - 2.0) * e * e * r - 3.0 * r * a.d2 - r * r * r


cdef inline bint log_probabilities(int link, double power, double eta, Chain* p, Chain* q) noexcept nogil:
    """log mu and log(1 - mu); whether mu is a probability."""
    cdef double r, m, c
    if link == LOGIT:
        log_logistic(eta, p)
        q.d0 = p.d0 - eta
        q.d1 = p.d1 - 1.0 if eta < 0.0 else -1.0 / (1.0 + exp(-eta))
        q.d2 = p.d2
        q.d3 = p.d3
    elif link == PROBIT:
        log_normal_cdf(eta, p)
        log_normal_cdf(-eta, q)
        mirrored(q)
    elif link == CLOGLOG:
        log_exponential_cdf(eta, p)
        q.d0 = q.d1 = q.d2 = q.d3 = -exp(eta if eta < FINITE_EXP else FINITE_EXP)
    elif link == LOGLOG:
        log_exponential_cdf(-eta, q)
        mirrored(q)
        r = exp(-eta if -eta < FINITE_EXP else FINITE_EXP)
        p.d0 = p.d2 = -r
        p.d1 = p.d3 = r
    elif link == CAUCHIT:
        log_cauchy_cdf(eta, p)
        log_cauchy_cdf(-eta, q)
        mirrored(q)
    else:
        if link == LOG:
            p.d0, p.d1, p.d2, p.d3 = eta, 1.0, 0.0, 0.0
        else:
            if not eta > 0.0:
                return False
            c = 1.0 / power
            p.d0, p.d1 = c * log(eta), c / eta
            p.d2 = -p.d1 / eta
            p.d3 = -2.0 * p.d2 / eta
        if not p.d0 < 0.0:
            return False
        m = -expm1(p.d0)
        if link == POWER and power == 1.0:
            # what the general terms below leave of 1/mu^2 and 1/mu^3 is rounding
            m = 1.0 - eta
            q.d0 = log1p(-eta)
            q.d1 = -1.0 / m
            q.d2 = q.d1 / m
            q.d3 = 2.0 * q.d2 / m
            return True
        r = exp(p.d0) / m             # mu / (1 - mu)
        q.d0 = log(m)
        q.d1 = -r * p.d1
        q.d2 = -r * ((1.0 + r) * p.d1 * p.d1 + p.d2)
        q.d3 = -r * ((1.0 + r) * (1.0 + 2.0 * r) * p.d1 * p.d1 * p.d1
                     + 3.0 * (1.0 + r) * p.d1 * p.d2 + p.d3)
    return True


cdef inline void nothing(Row* out) noexcept nogil:
    """mu is outside its range."""
    out.value = -INFINITY
    out.score = out.weight = out.observed = out.slope = 0.0
    out.value_z = out.score_z = out.weight_z = 0.0


cdef inline void logit_row(double eta, double y, double m, Row* out) noexcept nogil:
    cdef double e = exp(-fabs(eta)), p, q, k = m * y
    out.factor = 1.0 + e
    p = 1.0 / out.factor
    q = e * p
    if eta >= 0.0:
        out.value = (k - m) * eta
    else:
        out.value = k * eta
        p, q = q, p
    if m != 1.0:
        out.value -= m * log1p(e)
        out.factor = 1.0
    out.score = k * q - (m - k) * p
    out.weight = out.observed = m * p * q
    out.slope = out.weight * (q - p)
    out.value_z = out.score_z = out.weight_z = 0.0


cdef inline void binomial_row(Kind* kind, double eta, double y, double m, Row* out) noexcept nogil:
    cdef Chain p, q
    cdef double k = m * y, f = m - m * y
    if not log_probabilities(kind.link, kind.power, eta, &p, &q):
        nothing(out)
        return
    out.value = out.score = out.observed = out.slope = 0.0
    if k > 0.0:
        out.value += k * p.d0
        out.score += k * p.d1
        out.observed -= k * p.d2
        out.slope -= k * p.d3
    if f > 0.0:
        out.value += f * q.d0
        out.score += f * q.d1
        out.observed -= f * q.d2
        out.slope -= f * q.d3
    if kind.expected:
        out.weight = -m * (p.d1 * q.d1)
        out.slope = -m * (p.d2 * q.d1 + p.d1 * q.d2)
    else:
        out.weight = out.observed
    out.value_z = out.score_z = out.weight_z = 0.0


cdef inline void canonical_row(Kind* kind, double eta, double y, double m, Row* out) noexcept nogil:
    """Negative binomial with eta = log(mu / (mu + theta))."""
    cdef double p, q, r, theta = kind.par
    if not eta < 0.0:
        nothing(out)
        return
    p, q = exp(eta), -expm1(eta)
    r = theta * (p / q)
    out.value = m * (y * eta + theta * log(q))
    out.score = m * (y - r)
    out.weight = out.observed = m * (r / q)
    out.slope = out.weight * ((1.0 + p) / q)
    out.value_z = m * (theta * log(q))
    out.score_z = -m * r
    out.weight_z = out.weight


cdef inline void positive_row(Kind* kind, double eta, double y, double m, double log_y,
                              Row* out) noexcept nogil:
    """Families whose mean is positive, through nu = log mu."""
    cdef double n0, n1, n2, n3, c, mu, r, l0, l1, l2, l3, info, info1, p, q, e
    cdef double par = kind.par
    if kind.link == LOG:
        n0, n1, n2, n3 = eta, 1.0, 0.0, 0.0
    elif kind.link == NB_CANONICAL:
        canonical_row(kind, eta, y, m, out)
        return
    else:
        if not eta > 0.0:
            nothing(out)
            return
        c = 1.0 / eta
        n0, n1 = log(eta) / kind.power, c / kind.power
        n2 = -n1 * c
        n3 = -2.0 * n2 * c
    out.value_z = out.score_z = out.weight_z = 0.0
    if kind.family == POISSON:
        # y log(mu / y) - (mu - y): the large parts of the log-density are in its constant
        mu = exp(n0)
        if y > 0.0:
            c = n0 - log_y
            l0 = -y * (expm1(c) - c)
        else:
            l0 = -mu
        l1, l2, l3 = y - mu, -mu, -mu
        info = info1 = mu
    elif kind.family == NEGATIVE_BINOMIAL:
        # p = mu / (mu + theta), q = 1 - p
        c = n0 - kind.log_par
        e = exp(-fabs(c))
        p = 1.0 / (1.0 + e)
        q = e * p
        r = log1p(e)
        if c >= 0.0:
            l0, l3 = -y * r, -par * (c + r)
        else:
            p, q = q, p
            l0, l3 = y * (c - r), -par * r
        info = par * p
        info1 = info * q
        out.value_z = m * (l3 - y * q + info)
        l0 = l0 + l3
        l1 = y * q - info
        c = (y + par) * p * q
        l2 = -c
        l3 = -c * (q - p)
        out.score_z = m * (c - info) * n1
        if kind.expected:
            out.weight_z = m * info * p * n1 * n1
        else:
            out.weight_z = -m * ((c * (q - p) - info1) * n1 * n1 + (c - info) * n2)
    elif kind.family == GAMMA:
        c = log_y - n0
        r = exp(c)
        l0 = -par * (expm1(c) - c)
        l1 = par * expm1(c)
        l2, l3 = -par * r, par * r
        info, info1 = par, 0.0
    else:
        c = log_y - n0
        r = exp(c)
        e = expm1(c)
        c = exp(-log_y) * par
        l0 = -0.5 * c * e * e
        l1 = c * r * e
        l2 = c * r * (1.0 - 2.0 * r)
        l3 = c * r * (4.0 * r - 1.0)
        info = c * r
        info1 = -info
    if l0 == -INFINITY:
        nothing(out)
        return
    out.value = m * l0
    out.score = m * l1 * n1
    out.observed = -m * (l2 * n1 * n1 + l1 * n2)
    if kind.expected:
        out.weight = m * info * n1 * n1
        out.slope = m * (info1 * n1 * n1 * n1 + 2.0 * info * n1 * n2)
    else:
        out.weight = out.observed
        out.slope = -m * (l3 * n1 * n1 * n1 + 3.0 * l2 * n1 * n2 + l1 * n3)
    if kind.family == GAMMA or kind.family == INVERSE_GAUSSIAN:
        out.value_z = out.value
        out.score_z = out.score
        out.weight_z = out.weight


cdef inline void gaussian_row(Kind* kind, double eta, double y, double m, Row* out) noexcept nogil:
    cdef Chain p, q
    cdef double m0, m1, m2, m3, c, e, tau = m * kind.par
    if kind.link == POWER:
        if kind.power == 1.0:
            m0, m1, m2, m3 = eta, 1.0, 0.0, 0.0
        elif kind.power == -1.0:
            if eta == 0.0:
                nothing(out)
                return
            m0 = 1.0 / eta
            m1 = -m0 * m0
            m2 = -2.0 * m1 * m0
            m3 = -3.0 * m2 * m0
        else:
            if not eta > 0.0:
                nothing(out)
                return
            c = 1.0 / kind.power
            m0 = exp(c * log(eta))
            m1 = c * m0 / eta
            m2 = (c - 1.0) * m1 / eta
            m3 = (c - 2.0) * m2 / eta
    elif kind.link == LOG:
        m0 = m1 = m2 = m3 = exp(eta)
    else:
        log_probabilities(kind.link, kind.power, eta, &p, &q)
        m0 = exp(p.d0)
        m1 = m0 * p.d1
        m2 = m0 * (p.d2 + p.d1 * p.d1)
        m3 = m0 * (p.d3 + 3.0 * p.d1 * p.d2 + p.d1 * p.d1 * p.d1)
    e = y - m0
    out.value = -0.5 * tau * e * e
    out.score = tau * e * m1
    out.observed = tau * (m1 * m1 - e * m2)
    if kind.expected:
        out.weight = tau * m1 * m1
        out.slope = 2.0 * tau * m1 * m2
    else:
        out.weight = out.observed
        out.slope = tau * (3.0 * m1 * m2 - e * m3)
    out.value_z = out.value
    out.score_z = out.score
    out.weight_z = out.weight


ctypedef struct Interval:
    double value      # l(x) = log(F(a + x) - F(b + x)) at x = 0
    double d1         # and its derivatives in x
    double d2
    double d3
    double v          # derivatives in a of l, of d1 and of d2
    double v1
    double v2


cdef inline void narrow_normal(double a, double b, Interval* out) noexcept nogil:
    """log(Phi(a) - Phi(b)) of near limits: phi(m) d (1 + He2(m) d^2/24 + He4(m) d^4/1920)."""
    cdef double d = a - b, m = 0.5 * (a + b), s = d * d, r = s / 24.0, t = s * s / 1920.0, m2 = m * m
    cdef double g = 1.0 + (m2 - 1.0) * r + ((m2 - 6.0) * m2 + 3.0) * t
    cdef double k1 = (2.0 * m * r + (4.0 * m2 - 12.0) * m * t) / g
    cdef double k2 = (2.0 * r + (12.0 * m2 - 12.0) * t) / g
    cdef double k3 = 24.0 * m * t / g
    cdef double gd = (2.0 * (m2 - 1.0) * r + 4.0 * ((m2 - 6.0) * m2 + 3.0) * t) / (d * g)
    cdef double gd1 = (4.0 * m * r + 4.0 * (4.0 * m2 - 12.0) * m * t) / (d * g) - k1 * gd
    cdef double gd2 = (4.0 * r + 4.0 * (12.0 * m2 - 12.0) * t) / (d * g) - k2 * gd
    out.value = -0.5 * m2 - 0.9189385332046727 + log(d * g)
    out.d1 = -m + k1
    out.d2 = -1.0 + k2 - k1 * k1
    out.d3 = k3 - 3.0 * k1 * k2 + 2.0 * k1 * k1 * k1
    out.v = 0.5 * out.d1 + 1.0 / d + gd
    out.v1 = 0.5 * out.d2 + gd1
    out.v2 = 0.5 * out.d3 + gd2 - 2.0 * k1 * gd1


cdef inline void by_densities(double A0, double A1, double A2, double e1, double e2, double e3,
                              Interval* out) noexcept nogil:
    """From f and its derivatives at a, and the differences of these to b, all over F(a) - F(b)."""
    out.d1 = e1
    out.d2 = e2 - e1 * e1
    out.d3 = e3 - 3.0 * e1 * e2 + 2.0 * e1 * e1 * e1
    out.v = A0
    out.v1 = A1 - e1 * A0
    out.v2 = A2 - e2 * A0 - 2.0 * e1 * out.v1


cdef inline void normal_interval(double a, double b, Interval* out) noexcept nogil:
    cdef Chain p, q
    cdef double A, B
    if (a - b) * (1.0 + 0.5 * fabs(a + b)) < NARROW:
        narrow_normal(a, b, out)
        return
    if a + b > 0.0:
        log_normal_cdf(-b, &p)
        log_normal_cdf(-a, &q)
    else:
        log_normal_cdf(a, &p)
        log_normal_cdf(b, &q)
    out.value = p.d0 + log(-expm1(q.d0 - p.d0))
    A = exp(-0.5 * a * a - 0.9189385332046727 - out.value)
    B = exp(-0.5 * b * b - 0.9189385332046727 - out.value)
    by_densities(A, -a * A, (a * a - 1.0) * A, A - B, b * B - a * A,
                 (a * a - 1.0) * A - (b * b - 1.0) * B, out)


cdef inline void cauchy_interval(double a, double b, Interval* out) noexcept nogil:
    cdef double d = a - b, S = 1.0 + a * a, T = 1.0 + b * b, ab = a * b
    cdef double p = atan2(d, 1.0 + ab), r = d / (p * S * T), A = 1.0 / (S * p)
    out.value = log(p / M_PI)
    by_densities(A, -2.0 * a * A / S, (6.0 * a * a - 2.0) * A / (S * S), -r * (a + b),
                 -2.0 * r * (1.0 - 2.0 * ab - ab * (a * a + ab + b * b)) / (S * T),
                 -r * (a + b) * (6.0 * (S + T) / (S * T) - 8.0 * (S / T + T / S + 1.0) / (S * T)),
                 out)


cdef inline void logistic_interval(double a, double b, Interval* out, double* factor) noexcept nogil:
    """F(a) (1 - F(b)) without (1 - exp(b - a)), which does not depend on eta; 1 / factor of it."""
    cdef double e = exp(-fabs(a)), f = exp(-fabs(b)), p, q, s, t
    factor[0] = (1.0 + e) * (1.0 + f)
    p, s = 1.0 / (1.0 + e), 1.0 / (1.0 + f)
    q, t = e * p, f * s            # 1 - F(|a|), 1 - F(|b|)
    out.value = (a if a < 0.0 else 0.0) - (b if b > 0.0 else 0.0)
    if a < 0.0:
        p, q = q, p
    if b < 0.0:
        s, t = t, s
    out.v, out.v1 = q, -p * q
    out.v2 = -p * q * (q - p)
    out.d1 = q - s
    out.d2 = out.v1 - s * t
    out.d3 = out.v2 - s * t * (t - s)


cdef inline void exponential_interval(double a, double b, bint reversed, Interval* out) noexcept nogil:
    """F(z) = 1 - exp(-exp(z)), or, reversed, exp(-exp(-z)), which is 1 - F(-z)."""
    cdef Chain h
    cdef double d = a - b, lower = -a if reversed else b, e, k = 1.0 / expm1(d)
    # log(F(a) - F(b)) = -exp(b) + log(1 - exp(-exp(b + c))), c = log(exp(a - b) - 1)
    log_exponential_cdf(lower + d + log(-expm1(-d)), &h)
    e = exp(lower if lower < FINITE_EXP else FINITE_EXP)
    out.value = h.d0 - e
    out.d1, out.d2, out.d3 = h.d1 - e, h.d2 - e, h.d3 - e
    if reversed:
        out.v, out.v1, out.v2 = e + k * h.d1, -e - k * h.d2, e + k * h.d3
        out.d1, out.d3 = -out.d1, -out.d3
    else:
        out.v, out.v1, out.v2 = (1.0 + k) * h.d1, (1.0 + k) * h.d2, (1.0 + k) * h.d3


cdef inline void ordinal_row(Kind* kind, double eta, double u, double m, double l,
                             Row* out) noexcept nogil:
    """log(F(u - eta) - F(l - eta)) and its derivatives in eta and in u; those in l follow.

    A shift of u and l is one of -eta. With the link logit the part that depends on u - l alone is
    left to the density's constant.
    """
    cdef Chain p, q
    cdef Interval at
    cdef double a = u - eta, b = l - eta
    if u == INFINITY or l == -INFINITY:
        at.value = at.d1 = at.d2 = at.d3 = at.v = at.v1 = at.v2 = 0.0
        if l > -INFINITY:
            log_probabilities(kind.link, 1.0, b, &p, &q)
            at.value, at.d1, at.d2, at.d3 = q.d0, q.d1, q.d2, q.d3
        elif u < INFINITY:
            log_probabilities(kind.link, 1.0, a, &p, &q)
            at.value, at.d1, at.d2, at.d3 = p.d0, p.d1, p.d2, p.d3
            at.v, at.v1, at.v2 = p.d1, p.d2, p.d3
    elif not u > l:
        nothing(out)
        return
    elif kind.link == LOGIT:
        logistic_interval(a, b, &at, &out.factor)
        if m != 1.0:
            at.value -= log(out.factor)
            out.factor = 1.0
    elif kind.link == PROBIT:
        normal_interval(a, b, &at)
    elif kind.link == CAUCHIT:
        cauchy_interval(a, b, &at)
    else:
        exponential_interval(a, b, kind.link == LOGLOG, &at)
    out.value = m * at.value
    out.score = -m * at.d1
    out.observed = out.weight = -m * at.d2
    out.slope = m * at.d3
    out.value_z = m * at.v
    out.score_z = -m * at.v1
    out.weight_z = -m * at.v2
    if kind.expected and kind.link == CAUCHIT and out.weight < m * at.d1 * at.d1:
        out.weight = m * at.d1 * at.d1      # for searches, in place of what may be negative


cdef inline void split_row(Kind* kind, double eta, double y, double m, double log_y,
                           Row* out) noexcept nogil:
    """One observation; ``m`` is its weight (times its trials), ``log_y`` log(y) if y > 0.

    Of an ordinal one they are the limits of its category. The value is ``value - log(factor)``.
    """
    out.factor = 1.0
    if kind.family == BINOMIAL and kind.link == LOGIT:
        logit_row(eta, y, m, out)
        return
    if kind.family == BINOMIAL:
        binomial_row(kind, eta, y, m, out)
    elif kind.family == ORDINAL:
        ordinal_row(kind, eta, y, m, log_y, out)
    elif kind.family == GAUSSIAN:
        gaussian_row(kind, eta, y, m, out)
    else:
        positive_row(kind, eta, y, m, log_y, out)
    if not fabs(out.value + out.score + out.weight + out.observed + out.slope) < INFINITY:
        nothing(out)


cdef inline void row(Kind* kind, double eta, double y, double m, double log_y,
                     Row* out) noexcept nogil:
    """One observation, its value in one piece."""
    split_row(kind, eta, y, m, log_y, out)
    if out.factor != 1.0:
        out.value -= log(out.factor) if kind.family == ORDINAL else log1p(exp(-fabs(eta)))


# Products of factors (each from 1 to 4) are kept below it.
cdef double LARGE = 1e200


cdef inline void add_value(Row* one, double* total, double* product) noexcept nogil:
    """Add a split value; the logarithm is taken when the product is large, and at the end."""
    total[0] += one.value
    product[0] *= one.factor
    if product[0] > LARGE:
        total[0] -= log(product[0])
        product[0] = 1.0
