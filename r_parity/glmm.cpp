// Negative joint log-density of a generalised linear mixed model on lme4's structure, for TMB:
// eta = offset + X beta + Z Lambda(theta) u, u standard normal. TMB's Laplace approximation of the
// integral over u uses the observed Hessian; its gradient is exact.
#include <TMB.hpp>

enum Family { binomial, poisson, negative_binomial, gamma_family, inverse_gaussian, gaussian };
enum Link { identity_link, log_link, logit_link, probit_link, cloglog_link, loglog_link,
            cauchit_link, inverse_link, sqrt_link, inverse_square_link, negbin_link };

template <class Type>
Type objective_function<Type>::operator()() {
  DATA_INTEGER(family);
  DATA_INTEGER(link);
  DATA_VECTOR(y);        // binomial: proportions
  DATA_VECTOR(weights);  // they divide the dispersion, or without one multiply the log-density
  DATA_VECTOR(trials);
  DATA_VECTOR(offset);
  DATA_MATRIX(X);
  DATA_SPARSE_MATRIX(Z);
  DATA_IVECTOR(row);     // entries of Lambda: Lambda[row, column] = theta[which]
  DATA_IVECTOR(column);
  DATA_IVECTOR(which);
  PARAMETER_VECTOR(theta);
  PARAMETER_VECTOR(beta);
  PARAMETER(zeta);       // log of NB's theta, of Gamma's shape, of lambda, of 1 / sigma^2
  PARAMETER_VECTOR(u);

  vector<Type> b(u.size());
  b.setZero();
  for (int k = 0; k < row.size(); k++) b(row(k)) += theta(which(k)) * u(column(k));
  vector<Type> eta = offset + X * beta + Z * b;
  Type zero = 0, one = 1, answer = 0;
  for (int i = 0; i < y.size(); i++) {
    Type e = eta(i), part = 0, w = weights(i), log_phi = zeta;
    // Gamma, inverse Gaussian, gaussian: the precision of the row
    if (family >= gamma_family) { log_phi += log(w); w = one; }
    Type phi = exp(log_phi);
    if (family == binomial) {
      Type lp, lq;  // log of mu and of 1 - mu
      switch (link) {
      case logit_link: lp = -logspace_add(zero, Type(-e)); lq = -logspace_add(zero, e); break;
      case probit_link: lp = log(pnorm(e)); lq = log(pnorm(Type(-e))); break;
      case cloglog_link: lq = -exp(e); lp = logspace_sub(zero, lq); break;
      case loglog_link: lp = -exp(-e); lq = logspace_sub(zero, lp); break;
      case cauchit_link: lp = log(.5 + atan(e) / M_PI); lq = log(.5 - atan(e) / M_PI); break;
      case log_link: lp = e; lq = logspace_sub(zero, e); break;
      case identity_link: lp = log(e); lq = log(one - e); break;
      default: error("link");
      }
      Type k = y(i) * trials(i), m = trials(i);
      part = k * lp + (m - k) * lq + lgamma(m + 1) - lgamma(k + 1) - lgamma(m - k + 1);
    } else {
      Type nu;  // log of mu
      switch (link) {
      case identity_link: nu = family == gaussian ? zero : log(e); break;
      case log_link: nu = e; break;
      case inverse_link: nu = family == gaussian ? zero : -log(e); break;
      case sqrt_link: nu = 2 * log(e); break;
      case inverse_square_link: nu = -.5 * log(e); break;
      case negbin_link: nu = e + zeta - log(one - exp(e)); break;  // e = log(mu / (mu + theta))
      default: error("link");
      }
      Type mu = exp(nu);
      if (family == gaussian && link == identity_link) mu = e;
      if (family == gaussian && link == inverse_link) mu = 1 / e;
      switch (family) {
      case poisson: part = y(i) * nu - mu - lgamma(y(i) + 1); break;
      case negative_binomial:
        part = lgamma(y(i) + phi) - lgamma(phi) - lgamma(y(i) + 1) +
          y(i) * (nu - logspace_add(nu, zeta)) - phi * logspace_add(zero, Type(nu - zeta));
        break;
      case gamma_family:
        part = phi * (log_phi - nu - y(i) / mu + log(y(i))) - lgamma(phi) - log(y(i));
        break;
      case inverse_gaussian:
        part = .5 * (log_phi - log(2 * M_PI) - 3 * log(y(i))) -
          .5 * phi * pow(y(i) / mu - 1, 2) / y(i);
        break;
      case gaussian: part = .5 * (log_phi - log(2 * M_PI)) - .5 * phi * pow(y(i) - mu, 2); break;
      default: error("family");
      }
    }
    answer -= w * part;
  }
  answer += .5 * (u * u).sum() + .5 * log(2 * M_PI) * u.size();
  return answer;
}
