// Log-densities of one observation with their derivatives in up to three linear predictors, for the
// common families: the compiled twins of `log_density_of`, held to it by the tests.

#ifndef INTERLACE_SEVERAL_HPP
#define INTERLACE_SEVERAL_HPP

#include "jets.hpp"
#include "series.hpp"

namespace several {

enum Base {
    POISSON, NB2, NB1, GENERALISED_POISSON, CONWAY_MAXWELL, BETA, BETA_BINOMIAL, GAUSSIAN, GAMMA,
    LOGNORMAL, TWEEDIE
};
enum Zeros { NONE, INFLATED, HURDLE, TRUNCATED };

// Families of counts: a hurdle takes the zeros out of them.
constexpr bool counts(int base) { return base <= CONWAY_MAXWELL; }

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
    if (y < STIRLING_FROM || (y < COUNTS && y == std::floor(y))) {
        peak = y * log_y - y - log_factorial(y);
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

template <class J>
inline J generalised_poisson(const J& nu, const J& log_phi, double y, J* zero) {
    const J log_theta = nu - 0.5 * log_phi, none = -exp(log_theta);
    if (zero) *zero = none;
    if (y == 0.0) return none;
    // y + beyond, and its logarithm from that of y
    const J beyond = (exp(nu) - y) * exp(-0.5 * log_phi);
    const J log_sum = log1p(beyond * (1.0 / y)) + std::log(y);
    return log_theta + (y - 1.0) * log_sum - beyond - (y + log_factorial(y));
}

template <int K, int N>
inline Jet<K, N> conway_maxwell_poisson(const Jet<K, N>& log_mean, const Jet<K, N>& log_phi,
                                        double y, Jet<K, N>* zero) {
    Jet<2, N> out;
    if (zero)
        *zero = conway_maxwell<N>(log_mean.v, -log_phi.v, 0.0, out)
            ? substitute(out, log_mean, -log_phi) : Jet<K, N>(NAN);
    if (!conway_maxwell<N>(log_mean.v, -log_phi.v, y, out)) return NAN;
    return substitute(out, log_mean, -log_phi);
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

template <class J> inline J lognormal(const J& nu, const J& log_sigma, double y) {
    const double log_y = std::log(y);
    // the variance and the residual of log y
    const J variance = -log_expit(2.0 * (nu - log_sigma));
    const J gap = log_y - nu + 0.5 * variance, log_variance = log(variance);
    return -0.5 * (gap * gap * exp(-log_variance) + log_variance) - (HALF_LOG_2PI + log_y);
}

// `zero`: receives the log-density at 0 of a count, too, where it is wanted
template <class J>
inline J density(int base, const J& eta, const J& par, double y, double m, J* zero = nullptr) {
    switch (base) {
    case POISSON: return poisson(eta, y, zero);
    case NB2: return negative_binomial(eta, par, y, zero);
    case NB1: return negative_binomial1(eta, par, y, zero);
    case GENERALISED_POISSON: return generalised_poisson(eta, par, y, zero);
    case CONWAY_MAXWELL: return conway_maxwell_poisson(eta, par, y, zero);
    case BETA: return beta(eta, par, y);
    case BETA_BINOMIAL: return beta_binomial(eta, par, y, m);
    case LOGNORMAL: return lognormal(eta, par, y);
    case GAUSSIAN: return gaussian(eta, par, y);
    default: return gamma(eta, par, y);
    }
}

// A family as the kernel sees it: predictors that are fixed are numbers, others variables.
struct Kind {
    int base;
    int zeros;
    int par_at;         // which predictor the parameter is, or -1
    int zi_at;          // ... and that of zeros of their own, or Tweedie's power
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

// Tweedie's family: of the mean, phi and the power.
template <int K, int N>
inline Jet<K, N> tweedie_row(const Kind& kind, const double* eta, double y, double prior) {
    typedef Jet<K, N> J;
    const J nu = variable<K, N>(0, eta[0]);
    const J phi = kind.par_at < 0 ? J(kind.par) : variable<K, N>(kind.par_at, eta[kind.par_at]);
    const J psi = kind.zi_at < 0 ? J(kind.zi) : variable<K, N>(kind.zi_at, eta[kind.zi_at]);
    J log_above, log_below;
    log_expits(psi, log_above, log_below);
    J out = -exp(exp(log_below) * nu - phi - log_below);
    if (y > 0.0) {
        Jet<2, N> series;
        if (!tweedie_series<N>(std::log(y), phi.v, psi.v, series)) return NAN;
        out = out - y * exp(-exp(log_above) * nu - phi - log_above) + substitute(series, phi, psi);
    }
    return prior * out;
}

template <int K, int N>
inline Jet<K, N> row(const Kind& kind, const double* eta, double y, double w, double m) {
    if (kind.base == TWEEDIE) return tweedie_row<K, N>(kind, eta, y, w / m);
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
