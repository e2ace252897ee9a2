// Truncated Taylor series of one observation, and the functions of them that log-densities are made of.
//
// Jet<K, N> is a series of order N in K variables, as interlace/families/jets.py has it over arrays.
// Symmetric derivatives are stored once, indices falling.

#ifndef INTERLACE_JETS_HPP
#define INTERLACE_JETS_HPP

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

template <int K, int N> inline Jet<K, N> log(const Jet<K, N>& x) {
    const double r = 1.0 / x.v;
    return compose(x, std::log(x.v), r, -r * r, 2.0 * r * r * r);
}

template <int K, int N> inline Jet<K, N> log1p(const Jet<K, N>& x) {
    const double r = 1.0 / (1.0 + x.v);
    return compose(x, std::log1p(x.v), r, -r * r, 2.0 * r * r * r);
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

}  // namespace several

#endif
