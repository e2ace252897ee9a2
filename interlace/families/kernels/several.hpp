// Log-densities of one observation with their derivatives in up to three linear predictors, for the
// common families: the compiled twins of `log_density_of`, held to it by the tests.
//
// Jet<K, N> is a truncated Taylor series of order N in K variables, as interlace/families/jets.py
// has it over arrays. Symmetric derivatives are stored once, indices falling.

#ifndef INTERLACE_SEVERAL_HPP
#define INTERLACE_SEVERAL_HPP

#include <cmath>
#include <cstddef>
#include <limits>

namespace several {

constexpr int pair(int a, int b) { return a * (a + 1) / 2 + b; }
constexpr int triple(int a, int b, int c) { return a * (a + 1) * (a + 2) / 6 + pair(b, c); }

template <int K, int N> struct Jet {
    double v = 0.0;
    double g[K] = {};
    double h[K * (K + 1) / 2] = {};
    double t[K * (K + 1) * (K + 2) / 6] = {};

    Jet() = default;
    Jet(double x) : v(x) {}
};

template <int K, int N> Jet<K, N> variable(int k, double x) {
    Jet<K, N> out(x);
    out.g[k] = 1.0;
    return out;
}

template <int K, int N> inline Jet<K, N> operator+(const Jet<K, N>& x, const Jet<K, N>& y) {
    Jet<K, N> out(x.v + y.v);
    if constexpr (N > 0) for (int i = 0; i < K; ++i) out.g[i] = x.g[i] + y.g[i];
    if constexpr (N > 1) for (int i = 0; i < K * (K + 1) / 2; ++i) out.h[i] = x.h[i] + y.h[i];
    if constexpr (N > 2)
        for (int i = 0; i < K * (K + 1) * (K + 2) / 6; ++i) out.t[i] = x.t[i] + y.t[i];
    return out;
}

template <int K, int N> inline Jet<K, N> operator*(const Jet<K, N>& x, double c) {
    Jet<K, N> out(x.v * c);
    if constexpr (N > 0) for (int i = 0; i < K; ++i) out.g[i] = x.g[i] * c;
    if constexpr (N > 1) for (int i = 0; i < K * (K + 1) / 2; ++i) out.h[i] = x.h[i] * c;
    if constexpr (N > 2)
        for (int i = 0; i < K * (K + 1) * (K + 2) / 6; ++i) out.t[i] = x.t[i] * c;
    return out;
}

template <int K, int N> inline Jet<K, N> operator*(double c, const Jet<K, N>& x) { return x * c; }
template <int K, int N> inline Jet<K, N> operator-(const Jet<K, N>& x) { return x * -1.0; }
template <int K, int N> inline Jet<K, N> operator-(const Jet<K, N>& x, const Jet<K, N>& y) {
    return x + y * -1.0;
}
template <int K, int N> inline Jet<K, N> operator+(Jet<K, N> x, double c) { x.v += c; return x; }
template <int K, int N> inline Jet<K, N> operator+(double c, Jet<K, N> x) { x.v += c; return x; }
template <int K, int N> inline Jet<K, N> operator-(Jet<K, N> x, double c) { x.v -= c; return x; }
template <int K, int N> inline Jet<K, N> operator-(double c, const Jet<K, N>& x) { return -x + c; }

template <int K, int N> inline Jet<K, N> operator*(const Jet<K, N>& x, const Jet<K, N>& y) {
    Jet<K, N> out(x.v * y.v);
    for (int a = 0; a < K && N > 0; ++a) {
        out.g[a] = x.v * y.g[a] + x.g[a] * y.v;
        for (int b = 0; b <= a && N > 1; ++b) {
            const int ab = pair(a, b);
            out.h[ab] = x.v * y.h[ab] + x.h[ab] * y.v + x.g[a] * y.g[b] + x.g[b] * y.g[a];
            for (int c = 0; c <= b && N > 2; ++c) {
                const int ac = pair(a, c), bc = pair(b, c), abc = triple(a, b, c);
                out.t[abc] = x.v * y.t[abc] + x.t[abc] * y.v + x.g[a] * y.h[bc] + x.g[b] * y.h[ac]
                    + x.g[c] * y.h[ab] + x.h[bc] * y.g[a] + x.h[ac] * y.g[b] + x.h[ab] * y.g[c];
            }
        }
    }
    return out;
}

// f(x) from f and its derivatives at the value.
template <int K, int N>
inline Jet<K, N> compose(const Jet<K, N>& x, double f0, double f1, double f2, double f3) {
    Jet<K, N> out(f0);
    for (int a = 0; a < K && N > 0; ++a) {
        out.g[a] = f1 * x.g[a];
        for (int b = 0; b <= a && N > 1; ++b) {
            const int ab = pair(a, b);
            out.h[ab] = f2 * x.g[a] * x.g[b] + f1 * x.h[ab];
            for (int c = 0; c <= b && N > 2; ++c) {
                const int ac = pair(a, c), bc = pair(b, c), abc = triple(a, b, c);
                out.t[abc] = f3 * x.g[a] * x.g[b] * x.g[c] + f1 * x.t[abc]
                    + f2 * (x.g[a] * x.h[bc] + x.g[b] * x.h[ac] + x.g[c] * x.h[ab]);
            }
        }
    }
    return out;
}

template <int K, int N> inline Jet<K, N> exp(const Jet<K, N>& x) {
    const double e = std::exp(x.v);
    return compose(x, e, e, e, e);
}

template <int K, int N> inline Jet<K, N> expm1(const Jet<K, N>& x) {
    const double e = std::exp(x.v);
    return compose(x, std::expm1(x.v), e, e, e);
}

// log p and log q, p = 1 / (1 + e^-x) and q = 1 - p
template <int K, int N>
inline void log_expits(const Jet<K, N>& x, Jet<K, N>& log_p, Jet<K, N>& log_q) {
    const double e = std::exp(-std::fabs(x.v)), larger = 1.0 / (1.0 + e), smaller = e * larger;
    const double p = x.v > 0.0 ? larger : smaller, q = x.v > 0.0 ? smaller : larger;
    const double rest = std::log1p(e), d2 = -p * q, d3 = d2 * (q - p);
    log_p = compose(x, (x.v < 0.0 ? x.v : 0.0) - rest, q, d2, d3);
    log_q = compose(x, -(x.v > 0.0 ? x.v : 0.0) - rest, -p, d2, d3);
}

// log(1 / (1 + e^-x))
template <int K, int N> inline Jet<K, N> log_expit(const Jet<K, N>& x) {
    const double e = std::exp(-std::fabs(x.v)), larger = 1.0 / (1.0 + e), smaller = e * larger;
    const double p = x.v > 0.0 ? larger : smaller, q = x.v > 0.0 ? smaller : larger;
    return compose(x, (x.v < 0.0 ? x.v : 0.0) - std::log1p(e), q, -p * q, -p * q * (q - p));
}

// log(1 - e^x), x < 0
template <int K, int N> inline Jet<K, N> log1mexp(const Jet<K, N>& x) {
    const double odds = 1.0 / std::expm1(-x.v), odds1 = odds * (1.0 + odds);
    const double value = x.v > -0.5 ? std::log(-std::expm1(x.v)) : std::log1p(-std::exp(x.v));
    return compose(x, value, -odds, -odds1, -odds1 * (1.0 + 2.0 * odds));
}

// log(e^a + e^b), from the larger
template <int K, int N> inline Jet<K, N> logaddexp(const Jet<K, N>& a, const Jet<K, N>& b) {
    return a.v >= b.v ? a - log_expit(a - b) : b - log_expit(b - a);
}

// Stirling's series, exact to a unit in the last place from here on, and its derivatives:
// lgamma(x) = (x - 1/2) log x - x + log(2 pi) / 2 + s[0].
constexpr double STIRLING_FROM = 15.0;
constexpr double HALF_LOG_2PI = 0.91893853320467274178;
constexpr double STIRLING[8] = {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188,
                                -691.0 / 360360, 1.0 / 156, -3617.0 / 122400};

template <int N> inline void stirling(double x, double* s) {
    const double r = 1.0 / x, y = r * r;
    double power = r;
    for (int d = 0; d <= N; ++d) {
        double total = 0.0;
        for (int k = 8; k > 0; --k) {
            double c = STIRLING[k - 1];
            for (int i = 0; i < d; ++i) c *= 1.0 - 2.0 * k - i;
            total = total * y + c;
        }
        s[d] = total * power;
        power *= r;
    }
}

// lgamma and its derivatives at x > 0: recurrence up to where the series holds.
template <int N> inline void gamma_functions(double x, double* f) {
    double sums[4] = {0.0, 0.0, 0.0, 0.0}, product = 1.0, s[4];
    while (x < STIRLING_FROM) {
        const double r = 1.0 / x;
        product *= x;
        sums[1] += r;
        if constexpr (N > 1) sums[2] += r * r;
        if constexpr (N > 2) sums[3] += r * r * r;
        x += 1.0;
    }
    stirling<N>(x, s);
    const double log_x = std::log(x), r = 1.0 / x;
    f[0] = (x - 0.5) * log_x - x + HALF_LOG_2PI + s[0] - std::log(product);
    if constexpr (N > 0) f[1] = log_x - 0.5 * r + s[1] - sums[1];
    if constexpr (N > 1) f[2] = r + 0.5 * r * r + s[2] + sums[2];
    if constexpr (N > 2) f[3] = -r * r - r * r * r + s[3] - 2.0 * sums[3];
}

// lgamma without its leading terms, (x - 1/2) log x - x + log(2 pi) / 2
template <int K, int N> inline Jet<K, N> binet(const Jet<K, N>& x) {
    double s[4] = {0.0, 0.0, 0.0, 0.0};
    const double z = x.v;
    if (z >= STIRLING_FROM) {
        stirling<N>(z, s);
    } else {
        gamma_functions<N>(z, s);
        const double r = 1.0 / z, log_z = std::log(z);
        s[0] -= (z - 0.5) * log_z - z + HALF_LOG_2PI;
        s[1] -= log_z - 0.5 * r;
        s[2] -= r + 0.5 * r * r;
        s[3] += r * r + r * r * r;
    }
    return compose(x, s[0], s[1], s[2], s[3]);
}

// Differences over a step d of lgamma and its derivatives, a >= 15: leading terms by hand.
template <int N> inline void large_differences(double a, double d, double* f) {
    double high[4], low[4];
    const double c = a + d, share = d / a / c, ra = 1.0 / a, rc = 1.0 / c;
    const double log_ratio = std::log1p(d / a);
    stirling<N>(c, high);
    stirling<N>(a, low);
    f[0] = (a - 0.5) * log_ratio + d * (std::log(c) - 1.0) + (high[0] - low[0]);
    if constexpr (N > 0) f[1] = log_ratio + 0.5 * share + (high[1] - low[1]);
    if constexpr (N > 1) f[2] = -share * (1.0 + 0.5 * (ra + rc)) + (high[2] - low[2]);
    if constexpr (N > 2)
        f[3] = share * (ra + rc + ra * ra + ra * rc + rc * rc) + (high[3] - low[3]);
}

// Up to this count gamma functions are products.
constexpr double LONGEST_PRODUCT = 32.0;

// lgamma(a + k) - lgamma(a) - lgamma(k + 1)
template <int K, int N> inline Jet<K, N> log_multiset(const Jet<K, N>& x, double k) {
    const double a = x.v;
    double f[4] = {0.0, 0.0, 0.0, 0.0}, other[4];
    if (k <= LONGEST_PRODUCT && k == std::floor(k)) {
        double product = 1.0, sum = 0.0;
        for (double j = 0.0; j < k; j += 1.0) {
            const double r = 1.0 / (a + j);
            product *= (a + j) / (1.0 + j);
            if (!(product < 1e200 && product > 1e-200)) {
                sum += std::log(product);
                product = 1.0;
            }
            f[1] += r;
            f[2] -= r * r;
            f[3] += 2.0 * r * r * r;
        }
        f[0] = sum + std::log(product);
        return compose(x, f[0], f[1], f[2], f[3]);
    }
    if (a >= STIRLING_FROM) {
        large_differences<N>(a, k, f);
    } else {
        double low[4], high[4];
        gamma_functions<N>(a, low);
        gamma_functions<N>(a + k, high);
        for (int i = 0; i <= N; ++i) f[i] = high[i] - low[i];
    }
    // the value from the larger of a and k + 1 first
    if (a > k + 1.0) {
        gamma_functions<0>(k + 1.0, other);
        f[0] -= other[0];
    } else if (k + 1.0 >= STIRLING_FROM) {
        double difference[4];
        large_differences<0>(k + 1.0, a - 1.0, difference);
        gamma_functions<0>(a, other);
        f[0] = difference[0] - other[0];
    } else {
        gamma_functions<0>(k + 1.0, other);
        f[0] -= other[0];
    }
    return compose(x, f[0], f[1], f[2], f[3]);
}

enum Base { POISSON, NB2, NB1, BETA, BETA_BINOMIAL, GAUSSIAN, GAMMA };
enum Zeros { NONE, INFLATED, HURDLE, TRUNCATED };

// Families of counts: a hurdle takes the zeros out of them.
constexpr bool counts(int base) { return base <= NB1; }

// log y! of small counts.
constexpr int SMALL_COUNTS = 128;
struct Factorials {
    double log_of[SMALL_COUNTS];
    Factorials() {
        for (int y = 0; y < SMALL_COUNTS; ++y) gamma_functions<0>(y + 1.0, log_of + y);
    }
};
inline const Factorials factorials;

// y log(mu / y) - (mu - y) and the density at mu = y, nu = log mu
template <class J> inline J poisson(const J& nu, double y, J* zero) {
    if (zero || y == 0.0) {
        const J none = -exp(nu);
        if (zero) *zero = none;
        if (y == 0.0) return none;
    }
    const double log_y = std::log(y);
    const J t = nu - log_y;
    double peak;
    if (y < SMALL_COUNTS && y == std::floor(y)) {
        peak = y * log_y - y - factorials.log_of[static_cast<int>(y)];
    } else if (y < STIRLING_FROM) {
        double f[4];
        gamma_functions<0>(y + 1.0, f);
        peak = y * log_y - y - f[0];
    } else {
        double s[4];
        stirling<0>(y, s);
        peak = -0.5 * log_y - HALF_LOG_2PI - s[0];
    }
    return y * (t - expm1(t)) + peak;
}

// y log p + size log q + log_multiset(size, y), log p - log q given
template <class J> inline J pascal(const J& size, const J& log_odds, double y, J* zero) {
    J log_p, log_q;
    log_expits(log_odds, log_p, log_q);
    const J none = size * log_q;
    if (zero) *zero = none;
    return y == 0.0 ? none : none + y * log_p + log_multiset(size, y);
}

template <class J>
inline J negative_binomial(const J& nu, const J& log_theta, double y, J* zero) {
    return pascal(exp(log_theta), nu - log_theta, y, zero);
}

template <class J>
inline J negative_binomial1(const J& nu, const J& log_phi, double y, J* zero) {
    return pascal(exp(nu - log_phi), log_phi, y, zero);
}

template <class J> inline J beta(const J& eta, const J& log_phi, double y) {
    J log_mu, log_rest;
    log_expits(eta, log_mu, log_rest);
    const J a = exp(log_mu + log_phi), b = exp(log_rest + log_phi);
    const double log_y = std::log(y), log_1y = std::log1p(-y);
    const J distance = a * (log_y - log_mu) + b * (log_1y - log_rest);
    const J rest = binet(exp(log_phi)) - binet(a) - binet(b);
    return distance + rest + 0.5 * (log_mu + log_rest + log_phi) - (HALF_LOG_2PI + log_y + log_1y);
}

template <class J> inline J beta_binomial(const J& eta, const J& log_phi, double y, double m) {
    const double k = std::nearbyint(m * y);
    J log_mu, log_rest;
    log_expits(eta, log_mu, log_rest);
    return log_multiset(exp(log_mu + log_phi), k) + log_multiset(exp(log_rest + log_phi), m - k)
        - log_multiset(exp(log_phi), m);
}

template <class J> inline J gaussian(const J& eta, const J& log_scale, double y) {
    const J residual = y - eta;
    return 0.5 * (log_scale - residual * residual * exp(log_scale)) - HALF_LOG_2PI;
}

template <class J> inline J gamma(const J& nu, const J& log_shape, double y) {
    const double log_y = std::log(y);
    const J shape = exp(log_shape), d = log_y - nu;
    return shape * (d - expm1(d)) + 0.5 * log_shape - (HALF_LOG_2PI + log_y) - binet(shape);
}

// `zero`: receives the log-density at 0 of a count, too, where it is wanted
template <class J>
inline J density(int base, const J& eta, const J& par, double y, double m, J* zero = nullptr) {
    switch (base) {
    case POISSON: return poisson(eta, y, zero);
    case NB2: return negative_binomial(eta, par, y, zero);
    case NB1: return negative_binomial1(eta, par, y, zero);
    case BETA: return beta(eta, par, y);
    case BETA_BINOMIAL: return beta_binomial(eta, par, y, m);
    case GAUSSIAN: return gaussian(eta, par, y);
    default: return gamma(eta, par, y);
    }
}

// A family as the kernel sees it: predictors that are fixed are numbers, others variables.
struct Kind {
    int base;
    int zeros;
    int par_at;         // which predictor the parameter is, or -1
    int zi_at;
    double par;         // its predictor where it is fixed
    double zi;
    double par_factor;  // what the kernel's parameter is of the predictor
};

// A row without zeros of its own, in the first B predictors.
template <int B, int N>
inline Jet<B, N> base_row(const Kind& kind, const double* eta, double y, double w, double m) {
    typedef Jet<B, N> J;
    const J mean = variable<B, N>(0, eta[0]);
    J par(kind.par);
    if constexpr (B > 1) par = variable<B, N>(1, eta[1]);
    if (kind.par_factor != 1.0) par = kind.par_factor * par;
    if (kind.zeros == NONE) {
        if (kind.base == GAUSSIAN || kind.base == GAMMA)
            return density(kind.base, mean, w == 1.0 ? par : par + std::log(w), y, m);
        return (w / m) * density(kind.base, mean, par, y, m);
    }
    if (kind.zeros == INFLATED || !counts(kind.base)) return density(kind.base, mean, par, y, m);
    J zero;
    const J whole = density(kind.base, mean, par, y, m, &zero);
    const J positive = whole - log1mexp(zero);
    return kind.zeros == TRUNCATED ? w * positive : positive;
}

// A jet of the first variables, and one of the last, among K: indices that fall come first.
template <int K, int N, int B> inline Jet<K, N> of_first(const Jet<B, N>& x) {
    Jet<K, N> out(x.v);
    if constexpr (N > 0) for (int i = 0; i < B; ++i) out.g[i] = x.g[i];
    if constexpr (N > 1) for (int i = 0; i < B * (B + 1) / 2; ++i) out.h[i] = x.h[i];
    if constexpr (N > 2)
        for (int i = 0; i < B * (B + 1) * (B + 2) / 6; ++i) out.t[i] = x.t[i];
    return out;
}

template <int K, int N> inline void add_last(Jet<K, N>& out, const Jet<1, N>& x) {
    out.v += x.v;
    if constexpr (N > 0) out.g[K - 1] += x.g[0];
    if constexpr (N > 1) out.h[pair(K - 1, K - 1)] += x.h[0];
    if constexpr (N > 2) out.t[triple(K - 1, K - 1, K - 1)] += x.t[0];
}

// The zeros' predictor is the last of K, or fixed, and a positive count's log-density is a sum of
// its part and of the base's: only zeros that may have come either way mix them.
template <int K, int N, int B>
inline Jet<K, N> zeros_row(const Kind& kind, const double* eta, double y, double w, double m) {
    typedef Jet<K, N> J;
    typedef Jet<1, N> L;
    constexpr bool own = K > B;
    const L zi = own ? variable<1, N>(0, eta[K - 1]) : L(kind.zi);
    L structural, other;
    log_expits(zi, structural, other);
    J out;
    if (y == 0.0 && kind.zeros == HURDLE) {
        if constexpr (own) add_last(out, structural); else out.v = structural.v;
    } else {
        out = of_first<K>(base_row<B, N>(kind, eta, y, w, m));
        if constexpr (own) add_last(out, other); else out.v += other.v;
        if (y == 0.0) {
            J always(structural.v);
            if constexpr (own) { always.v = 0.0; add_last(always, structural); }
            out = logaddexp(always, out);
        }
    }
    return (w / m) * out;
}

template <int K, int N>
inline Jet<K, N> row(const Kind& kind, const double* eta, double y, double w, double m) {
    if (kind.zeros == NONE || kind.zeros == TRUNCATED) {
        if constexpr (K == 1) return base_row<1, N>(kind, eta, y, w, m);
        else return of_first<K>(base_row<2, N>(kind, eta, y, w, m));
    }
    if constexpr (K == 1) return zeros_row<1, N, 1>(kind, eta, y, w, m);
    else if constexpr (K == 2) return kind.zi_at < 0 ? zeros_row<2, N, 2>(kind, eta, y, w, m)
                                                     : zeros_row<2, N, 1>(kind, eta, y, w, m);
    else return zeros_row<3, N, 2>(kind, eta, y, w, m);
}

template <int K, int N> inline bool finite(const Jet<K, N>& x) {
    double total = x.v;
    if constexpr (N > 0) for (int i = 0; i < K; ++i) total += x.g[i];
    if constexpr (N > 1) for (int i = 0; i < K * (K + 1) / 2; ++i) total += x.h[i];
    if constexpr (N > 2) for (int i = 0; i < K * (K + 1) * (K + 2) / 6; ++i) total += x.t[i];
    return std::isfinite(total);
}

// Value, scores, information and with N = 3 third derivatives of one row; false beyond doubles.
template <int K, int N>
inline bool at(const Kind& kind, const double* eta, double y, double w, double m, double* value,
               double* score, double* information, double* third) {
    const Jet<K, N> x = row<K, N>(kind, eta, y, w, m);
    const bool ok = finite(x);
    *value = ok ? x.v : -std::numeric_limits<double>::infinity();
    if constexpr (N > 0) for (int k = 0; k < K; ++k) score[k] = ok ? x.g[k] : 0.0;
    if constexpr (N > 1)
        for (int p = 0; p < K * (K + 1) / 2; ++p) information[p] = ok ? -x.h[p] : 0.0;
    if constexpr (N > 2)
        for (int p = 0; p < K * (K + 1) * (K + 2) / 6; ++p) third[p] = ok ? x.t[p] : 0.0;
    return ok;
}

// c_a, the sum over b and c of d information_bc / d eta_a times H_bc, H packed.
template <int K> inline void contraction(const double* third, const double* H, double* c) {
    for (int a = 0; a < K; ++a) c[a] = 0.0;
    for (int a = 0; a < K; ++a)
        for (int b = 0; b <= a; ++b)
            for (int d = 0; d <= b; ++d) {
                // each distinct index of third stands for all its orders
                const double t = third[triple(a, b, d)];
                c[a] -= (b == d ? 1.0 : 2.0) * t * H[pair(b, d)];
                if (b != a) c[b] -= (a == d ? 1.0 : 2.0) * t * H[pair(a, d)];
                if (d != b) c[d] -= (a == b ? 1.0 : 2.0) * t * H[pair(a, b)];
            }
}

// All arrays are in rows of n: eta and score (K, n), information (K (K + 1) / 2, n).
template <int K, int N>
void derivatives(const Kind& kind, std::ptrdiff_t n, const double* eta, const double* y,
                 const double* w, const double* m, double* value, double* score,
                 double* information) {
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        double from[K], g[K], h[K * (K + 1) / 2];
        for (int k = 0; k < K; ++k) from[k] = eta[k * n + i];
        at<K, N>(kind, from, y[i], w[i], m[i], value + i, g, h, nullptr);
        if constexpr (N > 0) for (int k = 0; k < K; ++k) score[k * n + i] = g[k];
        if constexpr (N > 1)
            for (int p = 0; p < K * (K + 1) / 2; ++p) information[p * n + i] = h[p];
    }
}

template <int K>
void contracted(const Kind& kind, std::ptrdiff_t n, const double* eta, const double* y,
                const double* w, const double* m, const double* H, double* out) {
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        constexpr int P = K * (K + 1) / 2;
        double from[K], value, g[K], h[P], third[P * (K + 2) / 3], own[P], c[K];
        for (int k = 0; k < K; ++k) from[k] = eta[k * n + i];
        for (int p = 0; p < P; ++p) own[p] = H[p * n + i];
        at<K, 3>(kind, from, y[i], w[i], m[i], &value, g, h, third);
        contraction<K>(third, own, c);
        for (int a = 0; a < K; ++a) out[a * n + i] = c[a];
    }
}

template <int K>
void ordered(const Kind& kind, int order, std::ptrdiff_t n, const double* eta, const double* y,
             const double* w, const double* m, double* value, double* score, double* information) {
    if (order == 0) derivatives<K, 0>(kind, n, eta, y, w, m, value, score, information);
    else if (order == 1) derivatives<K, 1>(kind, n, eta, y, w, m, value, score, information);
    else derivatives<K, 2>(kind, n, eta, y, w, m, value, score, information);
}

inline void derivatives(const Kind& kind, int K, int order, std::ptrdiff_t n, const double* eta,
                        const double* y, const double* w, const double* m, double* value,
                        double* score, double* information) {
    if (K == 1) ordered<1>(kind, order, n, eta, y, w, m, value, score, information);
    else if (K == 2) ordered<2>(kind, order, n, eta, y, w, m, value, score, information);
    else ordered<3>(kind, order, n, eta, y, w, m, value, score, information);
}

// One row, for loops that know K only when they run.
inline void at(const Kind& kind, int K, int order, const double* eta, double y, double w, double m,
               double* value, double* score, double* information, double* third) {
    if (order == 3) {
        if (K == 1) at<1, 3>(kind, eta, y, w, m, value, score, information, third);
        else if (K == 2) at<2, 3>(kind, eta, y, w, m, value, score, information, third);
        else at<3, 3>(kind, eta, y, w, m, value, score, information, third);
    } else {
        if (K == 1) at<1, 2>(kind, eta, y, w, m, value, score, information, third);
        else if (K == 2) at<2, 2>(kind, eta, y, w, m, value, score, information, third);
        else at<3, 2>(kind, eta, y, w, m, value, score, information, third);
    }
}

inline void contraction(int K, const double* third, const double* H, double* c) {
    if (K == 1) contraction<1>(third, H, c);
    else if (K == 2) contraction<2>(third, H, c);
    else contraction<3>(third, H, c);
}

inline void contracted(const Kind& kind, int K, std::ptrdiff_t n, const double* eta,
                       const double* y, const double* w, const double* m, const double* H,
                       double* out) {
    if (K == 1) contracted<1>(kind, n, eta, y, w, m, H, out);
    else if (K == 2) contracted<2>(kind, n, eta, y, w, m, H, out);
    else contracted<3>(kind, n, eta, y, w, m, H, out);
}

}  // namespace several

#endif
