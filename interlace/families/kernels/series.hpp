// Sums over counts that log-densities are: of Tweedie's family and of Conway and Maxwell's.
//
// Terms are log-concave in the count j. They are taken outwards from the largest, relative to it,
// until they are next to nothing. Where their standard deviation s in j is large a sum over every
// h-th count times h is the sum over all: by Poisson's formula the two differ by the characteristic
// function at 2 pi / h, exp(-2 pi^2 (s / h)^2), so that a bounded number of terms serves.

#ifndef INTERLACE_SERIES_HPP
#define INTERLACE_SERIES_HPP

#include <cmath>

#include "jets.hpp"

namespace several {

// Terms below e^-45 = 3e-20 of the largest change no digit of their sum.
constexpr double LEAST_TERM = -45.0;
// More terms than this are not summed: such a row counts as out of range.
constexpr int MOST_TERMS = 100000;
// Standard deviations from which on steps are longer than 1; how many steps they are then, and how
// many of them have to lie between the largest term and the end of the counts.
constexpr double LONG_STEPS_FROM = 10.0;
constexpr double STEPS = 1.6;
constexpr double ROOM = 12.0;

// ... nor does a term that small beside the one next to the largest, which alone may say how likely
// other counts are at all.
inline double least_term(double next) { return LEAST_TERM + std::fmin(next, 0.0); }

inline double step_of(double middle, double spread) {
    const bool room = spread >= LONG_STEPS_FROM && middle > ROOM * spread;
    return room ? std::floor(spread / STEPS) : 1.0;
}

// Logarithms of counts and of their factorials.
constexpr int COUNTS = 1024;

struct Logarithms {
    double of[COUNTS], factorial[COUNTS];
    Logarithms() {
        long double sum = 0.0L;
        of[0] = factorial[0] = 0.0;
        for (int j = 1; j < COUNTS; ++j) {
            of[j] = std::log(static_cast<double>(j));
            factorial[j] = static_cast<double>(sum += std::log(static_cast<long double>(j)));
        }
    }
};

inline const Logarithms LOGARITHMS;

inline double log_count(double j) {
    return j < COUNTS ? LOGARITHMS.of[static_cast<int>(j)] : std::log(j);
}

inline double log_factorial(double j) {
    if (j < COUNTS && j == std::floor(j)) return LOGARITHMS.factorial[static_cast<int>(j)];
    double f[4];
    gamma_functions<0>(j + 1.0, f);
    return f[0];
}

// lgamma(x + d) - lgamma(x)
inline double log_gamma_step(double x, double d) {
    double low[4], high[4];
    if (x >= STIRLING_FROM) {
        large_differences<0>(x, d, low);
        return low[0];
    }
    gamma_functions<0>(x, low);
    gamma_functions<0>(x + d, high);
    return high[0] - low[0];
}

// log (j + h)! - log j!
inline double log_factorial_step(double j, double h) {
    return h == 1.0 ? log_count(j + 1.0) : log_gamma_step(j + 1.0, h);
}

// log y! - log j!
inline double log_factorial_ratio(double y, double j) {
    if (std::fmin(y, j) >= STIRLING_FROM)
        return y >= j ? log_gamma_step(j + 1.0, y - j) : -log_gamma_step(y + 1.0, j - y);
    return log_factorial(y) - log_factorial(j);
}

// f of two jets, from its own jet at their values.
template <int N, int K>
inline Jet<K, N> substitute(const Jet<2, N>& f, Jet<K, N> x, Jet<K, N> y) {
    typedef Jet<K, N> J;
    x.v = y.v = 0.0;
    J out = f.g[0] * x + f.g[1] * y + f.v;
    if constexpr (N > 1) {
        const J xx = x * x, xy = x * y, yy = y * y;
        out = out + 0.5 * f.h[0] * xx + f.h[1] * xy + 0.5 * f.h[2] * yy;
        if constexpr (N > 2)
            out = out + x * (f.t[0] / 6.0 * xx + 0.5 * f.t[1] * xy + 0.5 * f.t[2] * yy)
                + f.t[3] / 6.0 * (y * yy);
    }
    return out;
}

// lgamma and its derivatives at multiples of a number: kept, for rows mostly share the number.
constexpr int MULTIPLES = 512;

struct Multiples {
    double a = 0.0;
    int filled = 0;              // entries 1, ..., filled are those of a
    double f[MULTIPLES][4];
    double step[MULTIPLES];      // lgamma(a j) - lgamma(a (j - 1))

    void at(double number) {
        if (number != a) filled = 0;
        a = number;
    }
    bool holds(double j) {
        if (j >= MULTIPLES) return false;
        for (const int last = static_cast<int>(j); filled < last; ++filled) {
            const int i = filled + 1;
            gamma_functions<3>(a * i, f[i]);
            const bool large = a * filled >= STIRLING_FROM;
            step[i] = large ? log_gamma_step(a * filled, a) : i > 1 ? f[i][0] - f[i - 1][0] : 0.0;
        }
        return true;
    }
};

// log of the sum over j >= 1 of exp(j w - log j! - lgamma(a j)), in w and a; the largest term is
// near `middle`.
template <int N> class GammaSeries {
    typedef Jet<2, N> J;
    const double w, a;
    Multiples& known;
    double mid, here[4], from[4];
    J sum;

    void functions(double j, double* f) {
        if (known.holds(j)) {
            for (int i = 0; i <= N; ++i) f[i] = known.f[static_cast<int>(j)][i];
        } else {
            gamma_functions<N>(a * j, f);
        }
        double power = 1.0;
        for (int i = 0; i <= N; ++i, power *= j) f[i] *= power;
    }
    // the logarithm of the term at j + h over that at j
    double more(double j, double h) {
        const bool kept = h == 1.0 && known.holds(j + 1.0);
        const double gamma = kept ? known.step[static_cast<int>(j) + 1]
                                  : log_gamma_step(a * j, a * h);
        return h * w - log_factorial_step(j, h) - gamma;
    }
    // e^r and its derivatives
    void add(double r, double j) {
        const double e = std::exp(r), u = j - mid;
        sum.v += e;
        if constexpr (N > 0) {
            functions(j, here);
            const double v1 = from[1] - here[1];
            sum.g[0] += e * u;
            sum.g[1] += e * v1;
            if constexpr (N > 1) {
                const double v2 = from[2] - here[2], second = v1 * v1 + v2;
                sum.h[0] += e * u * u;
                sum.h[1] += e * u * v1;
                sum.h[2] += e * second;
                if constexpr (N > 2) {
                    const double v3 = from[3] - here[3];
                    sum.t[0] += e * u * u * u;
                    sum.t[1] += e * u * u * v1;
                    sum.t[2] += e * u * second;
                    sum.t[3] += e * (v1 * (v1 * v1 + 3.0 * v2) + v3);
                }
            }
        }
    }

public:
    GammaSeries(double w, double a, Multiples& known) : w(w), a(a), known(known) { known.at(a); }

    bool total(double middle, J& out) {
        mid = std::fmax(std::nearbyint(middle), 1.0);
        const double h = step_of(mid, std::sqrt(mid / (1.0 + a)));
        while (h == 1.0 && more(mid, h) > 0.0) ++mid;
        while (h == 1.0 && mid > 1.0 && more(mid - h, h) < 0.0) --mid;
        functions(mid, from);
        double j = mid, r = 0.0, least = 0.0;
        add(0.0, mid);
        for (int i = 0;; ++i) {
            r += more(j, h);
            j += h;
            if (i == 0) least = least_term(r);
            if (!(r >= least)) break;
            if (i == MOST_TERMS) return false;
            add(r, j);
        }
        for (j = mid, r = 0.0; j > h;) {
            j -= h;
            r -= more(j, h);
            if (j + h == mid) least = least_term(r);
            if (!(r >= least)) break;
            add(r, j);
        }
        out = log(sum) + (std::log(h) + mid * w - log_factorial(mid) - from[0]);
        if constexpr (N > 0) { out.g[0] += mid; out.g[1] -= from[1]; }
        if constexpr (N > 1) out.h[2] -= from[2];
        if constexpr (N > 2) out.t[3] -= from[3];
        return std::isfinite(out.v);
    }
};

// The part of Tweedie's log-density of y > 0 that has no mean, in log phi and
// psi = logit(power - 1): log of the sum of exp(j w - log j! - lgamma(a j)) / y, a = e^-psi and
// w = a (log y - log(power - 1) - log phi) - log phi - log(2 - power).
template <int N>
inline bool tweedie_series(double log_y, double log_phi, double psi, Jet<2, N>& out) {
    thread_local Multiples known;
    typedef Jet<2, N> J;
    const J phi = variable<2, N>(0, log_phi), power = variable<2, N>(1, psi);
    J log_above, log_below;
    log_expits(power, log_above, log_below);
    const J a = exp(-power), w = a * (log_y - log_above - phi) - phi - log_below;
    const double middle = std::exp(std::exp(log_below.v) * log_y - log_phi - log_below.v);
    J series;
    if (!(middle < 1e15) || !(a.v > 0.0) || !std::isfinite(w.v)) return false;
    if (!GammaSeries<N>(w.v, a.v, known).total(middle, series)) return false;
    out = substitute(series, w, a) - log_y;
    return true;
}

// Conway and Maxwell's counts in canonical form: exp((j - mid) theta + nu s_j), with
// s_j = c (j - mid) - log j! + log mid!; mid is the mode, and c = log(floor(mean) + 1) makes theta
// small where nu is large. K is the log of the sum over j >= 0; k[i][l] are its derivatives, i times
// in theta and l times in nu, up to order T: cumulants. With BOTH false those in theta alone.
template <int T, bool BOTH>
bool cumulants(double theta, double nu, double c, double mid, double (&k)[T + 1][T + 1]) {
    constexpr int IN_NU = BOTH ? T : 0;
    double m[T + 1][T + 1] = {};
    const double h = step_of(mid, std::sqrt(mid / nu));
    const auto add = [&m, mid](double e, double j, double s) {
        const double u = j - mid;
        for (int i = 0; i <= T; ++i, e *= u) {
            double p = e;
            for (int l = 0; l <= T - i && l <= IN_NU; ++l, p *= s) m[i][l] += p;
        }
    };
    double j = mid, r = 0.0, s = 0.0, least = 0.0;
    add(1.0, mid, 0.0);
    for (int i = 0;; ++i) {
        const double more = h * c - log_factorial_step(j, h);
        r += h * theta + nu * more;
        s += more;
        j += h;
        if (i == 0) least = least_term(r);
        if (!(r >= least)) break;
        if (i == MOST_TERMS) return false;
        add(std::exp(r), j, s);
    }
    for (j = mid, r = s = 0.0; j >= h;) {
        j -= h;
        const double less = h * c - log_factorial_step(j, h);
        r -= h * theta + nu * less;
        s -= less;
        if (j + h == mid) least = least_term(r);
        if (!(r >= least)) break;
        add(std::exp(r), j, s);
    }
    const double total = m[0][0];
    for (int i = 0; i <= T; ++i)
        for (int l = 0; l <= T - i; ++l) m[i][l] /= total;
    // m = e^k, so that D m = (D k) m, and higher derivatives of m by Leibniz' rule from this one
    constexpr double choose[4][4] = {{1}, {1, 1}, {1, 2, 1}, {1, 3, 3, 1}};
    for (int i = 0; i <= T; ++i)
        for (int l = 0; l <= T - i && l <= IN_NU; ++l) {
            k[i][l] = m[i][l];
            for (int p = 0; p < i; ++p)
                for (int q = 0; q <= l; ++q)
                    if (p < i - 1 || q < l)
                        k[i][l] -= choose[i - 1][p] * choose[l][q] * k[p + 1][q]
                            * m[i - 1 - p][l - q];
            for (int q = 0; i == 0 && q < l - 1; ++q)
                k[0][l] -= choose[l - 1][q] * k[0][q + 1] * m[0][l - 1 - q];
        }
    k[0][0] = std::log(h * total);
    return std::isfinite(total);
}

// Counts with a larger mean are not summed.
constexpr double LARGEST_LOG_MEAN = 25.0;
// Steps for theta, each within a bracket; the longest; a step after which the next, of third order,
// changes no digit; where logarithms of means agree.
constexpr int THETA_STEPS = 100;
constexpr double LONGEST_STEP = 2.0;
constexpr double LAST_STEP = 1e-6;
constexpr double SAME_MEAN = 1e-15;

struct Canonical { double nu, c, mid, theta; };

inline double mode_of(double theta, double nu, double c) { return std::floor(std::exp(theta / nu + c)); }

// theta to begin with: two neighbouring counts where nu is large, asymptotics otherwise.
inline double theta_start(double log_mean, double nu, double c) {
    const double mu = std::exp(log_mean);
    if (nu > 4.0 * (mu + 1.0)) {
        const double below = std::floor(mu), share = mu - below;
        const double farthest = below > 0.0 ? 0.5 * nu * std::log1p(1.0 / below) : 700.0;
        return std::fmax(std::log(share / (1.0 - share)), -farthest);
    }
    if (nu < 1.0) return log_mean - (1.0 - nu) * std::log1p(mu) - nu * c;
    return nu * (std::log(mu + 0.5 * (nu - 1.0) / nu) - c);
}

// theta at which the mean of the counts is as given.
inline bool solve(double log_mean, double log_nu, Canonical& out) {
    const double nu = out.nu = std::exp(log_nu);
    if (!(log_mean < LARGEST_LOG_MEAN) || !(nu > 0.0) || !std::isfinite(nu)) return false;
    const double c = out.c = std::log(std::floor(std::exp(log_mean)) + 1.0);
    double theta = theta_start(log_mean, nu, c);
    double low = -std::numeric_limits<double>::infinity(), high = -low;
    for (int i = 0; i < THETA_STEPS && std::isfinite(theta); ++i) {
        double k[4][4], gap = 1.0, step = -LONGEST_STEP;
        const double mid = mode_of(theta, nu, c);
        const bool summed =
            theta / nu + c < LARGEST_LOG_MEAN + 1.0 && cumulants<3, false>(theta, nu, c, mid, k);
        if (summed) {
            const double mean = mid + k[1][0];
            gap = std::log(mean) - log_mean;
            if (std::fabs(gap) <= SAME_MEAN) break;
            // Halley's step for the log of the mean
            const double slope = k[2][0] / mean, bend = k[3][0] / mean - slope * slope;
            const double newton = -gap / slope;
            step = newton / std::fmax(1.0 + 0.5 * newton * bend / slope, 0.5);
            if (!(std::fabs(step) <= LONGEST_STEP)) step = std::copysign(LONGEST_STEP, -gap);
        }
        (gap < 0.0 ? low : high) = theta;
        double next = theta + step;
        const bool inside = next > low && next < high;
        if (!inside) {
            next = 0.5 * (low + high);
            if (!std::isfinite(next)) next = theta + step;
        }
        const bool done = next == theta || (inside && std::fabs(gap) + std::fabs(step) < LAST_STEP);
        theta = next;
        if (done) break;
    }
    out.theta = theta;
    out.mid = mode_of(theta, nu, c);
    return std::isfinite(theta);
}

// theta, K and nu of Conway and Maxwell's counts, in the logarithms of their mean and of nu.
template <int N> struct ConwayMaxwell {
    typedef Jet<2, N> J;
    double log_mean = 0.0, log_nu = std::numeric_limits<double>::quiet_NaN();
    bool ok = false;
    Canonical at;
    J theta, nu, K;

    ConwayMaxwell() = default;
    ConwayMaxwell(double log_mean, double log_nu) : log_mean(log_mean), log_nu(log_nu) {
        double k[N + 2][N + 2];
        nu = exp(variable<2, N>(1, log_nu));
        ok = solve(log_mean, log_nu, at)
            && cumulants<N + 1, true>(at.theta, at.nu, at.c, at.mid, k);
        if (!ok) return;
        // the mean less that of theta is mu: solved for theta one order a step
        const J mu = exp(variable<2, N>(0, log_mean));
        J mean(mu.v);
        theta = J(at.theta);
        K = J(k[0][0]);
        if constexpr (N > 0) for (int i = 0; i < 2; ++i) K.g[i] = k[1 - i][i], mean.g[i] = k[2 - i][i];
        if constexpr (N > 1) for (int i = 0; i < 3; ++i) K.h[i] = k[2 - i][i], mean.h[i] = k[3 - i][i];
        if constexpr (N > 2) for (int i = 0; i < 4; ++i) K.t[i] = k[3 - i][i], mean.t[i] = k[4 - i][i];
        for (int order = 0; order < N; ++order) {
            theta = theta - (1.0 / k[2][0]) * (substitute(mean, theta, nu) - mu);
            theta.v = at.theta;
        }
        K = substitute(K, theta, nu);
    }

    J log_density(double y) const {
        const double s = at.c * (y - at.mid) - log_factorial_ratio(y, at.mid);
        return (y - at.mid) * theta + s * nu - K;
    }
};

// The log-density of a count in the logarithms of the mean and of nu; rows next to each other, and
// what is asked twice of one, may share them.
template <int N>
inline bool conway_maxwell(double log_mean, double log_nu, double y, Jet<2, N>& out) {
    thread_local ConwayMaxwell<N> known;
    if (known.log_mean != log_mean || known.log_nu != log_nu)
        known = ConwayMaxwell<N>(log_mean, log_nu);
    if (known.ok) out = known.log_density(y);
    return known.ok;
}

// Jets of rows in columns of ten: values, first, second, third derivatives; nan where there are none.
template <int N>
inline void put(const Jet<2, N>& x, bool ok, std::ptrdiff_t i, std::ptrdiff_t n, double* out) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    out[i] = ok ? x.v : nan;
    if constexpr (N > 0) for (int a = 0; a < 2; ++a) out[(1 + a) * n + i] = ok ? x.g[a] : nan;
    if constexpr (N > 1) for (int a = 0; a < 3; ++a) out[(3 + a) * n + i] = ok ? x.h[a] : nan;
    if constexpr (N > 2) for (int a = 0; a < 4; ++a) out[(6 + a) * n + i] = ok ? x.t[a] : nan;
}

template <int N>
void tweedie_parts(std::ptrdiff_t n, const double* log_y, const double* log_phi,
                   const double* psi, double* out) {
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        Jet<2, N> x;
        const bool ok = tweedie_series<N>(log_y[i], log_phi[i], psi[i], x);
        put(x, ok, i, n, out);
    }
}

template <int N>
void conway_maxwell_parts(std::ptrdiff_t n, const double* log_mean, const double* log_nu,
                          const double* y, double* out) {
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        Jet<2, N> x;
        const bool ok = conway_maxwell<N>(log_mean[i], log_nu[i], y[i], x);
        put(x, ok, i, n, out);
    }
}

inline void tweedie_parts(int order, std::ptrdiff_t n, const double* log_y, const double* log_phi,
                          const double* psi, double* out) {
    if (order == 0) tweedie_parts<0>(n, log_y, log_phi, psi, out);
    else if (order == 1) tweedie_parts<1>(n, log_y, log_phi, psi, out);
    else if (order == 2) tweedie_parts<2>(n, log_y, log_phi, psi, out);
    else tweedie_parts<3>(n, log_y, log_phi, psi, out);
}

inline void conway_maxwell_parts(int order, std::ptrdiff_t n, const double* log_mean,
                                 const double* log_nu, const double* y, double* out) {
    if (order == 0) conway_maxwell_parts<0>(n, log_mean, log_nu, y, out);
    else if (order == 1) conway_maxwell_parts<1>(n, log_mean, log_nu, y, out);
    else if (order == 2) conway_maxwell_parts<2>(n, log_mean, log_nu, y, out);
    else conway_maxwell_parts<3>(n, log_mean, log_nu, y, out);
}

}  // namespace several

#endif
