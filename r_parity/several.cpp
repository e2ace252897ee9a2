// Negative joint log-density of models that glmmTMB 1.1.5 does not have, for TMB: families that came
// later, and random effects in the dispersion. Data and parameters are laid out as glmmTMB's: b of a
// term by level, theta its log SDs and, if correlated, TMB's correlation parameters.
#include <TMB.hpp>

enum Family { gaussian_family, nbinom2_family, beta_family, Gamma_family, lognormal_family, skewnormal_family,
              bell_family, nbinom12_family, inverse_gaussian_family };
enum Link { identity_link, log_link, logit_link };

template <class Type>
Type prior(vector<Type> b, vector<Type> theta, vector<int> sizes, vector<int> levels) {
  Type answer = 0;
  int at = 0, first = 0;
  for (int t = 0; t < sizes.size(); t++) {
    int k = sizes(t), parameters = k * (k + 1) / 2;
    vector<Type> part = theta.segment(first, parameters);
    vector<Type> sd = exp(vector<Type>(part.head(k))), shape = part.tail(parameters - k);
    for (int j = 0; j < levels(t); j++) {
      vector<Type> u = vector<Type>(b.segment(at, k)) / sd;
      if (k == 1) answer -= dnorm(u(0), Type(0), Type(1), true);
      else answer += density::UNSTRUCTURED_CORR(shape)(u);
      answer += part.head(k).sum();
      at += k;
    }
    first += parameters;
  }
  return answer;
}

template <class Type>
Type lambert(Type x) {  // W(x), x > 0, by Newton's steps on w + log w = log x
  Type w = log(Type(1) + x), target = log(x);
  for (int i = 0; i < 12; i++) w = w * (Type(1) + target - log(w)) / (Type(1) + w);
  return w;
}

template <class Type>
Type objective_function<Type>::operator()() {
  DATA_INTEGER(family);
  DATA_INTEGER(link);
  DATA_VECTOR(y);
  DATA_VECTOR(weights);
  DATA_VECTOR(log_bell);  // log of Bell's number of y, over y!
  DATA_VECTOR(offset); DATA_VECTOR(zioffset); DATA_VECTOR(doffset);
  DATA_MATRIX(X); DATA_MATRIX(Xzi); DATA_MATRIX(Xd);
  DATA_SPARSE_MATRIX(Z); DATA_SPARSE_MATRIX(Zzi); DATA_SPARSE_MATRIX(Zd);
  DATA_IVECTOR(sizes); DATA_IVECTOR(levels);
  DATA_IVECTOR(sizeszi); DATA_IVECTOR(levelszi);
  DATA_IVECTOR(sizesd); DATA_IVECTOR(levelsd);
  PARAMETER_VECTOR(beta); PARAMETER_VECTOR(betazi); PARAMETER_VECTOR(betad);
  PARAMETER_VECTOR(b); PARAMETER_VECTOR(bzi); PARAMETER_VECTOR(bd);
  PARAMETER_VECTOR(theta); PARAMETER_VECTOR(thetazi); PARAMETER_VECTOR(thetad);
  PARAMETER_VECTOR(psi);

  Type answer = prior(b, theta, sizes, levels) + prior(bzi, thetazi, sizeszi, levelszi) +
    prior(bd, thetad, sizesd, levelsd);
  vector<Type> eta = X * beta + Z * b + offset;
  vector<Type> etazi = Xzi * betazi + Zzi * bzi + zioffset;
  vector<Type> etad = Xd * betad + Zd * bd + doffset;
  Type zero = 0, one = 1;
  bool zeros = betazi.size() > 0;
  bool positive = family == lognormal_family || family == Gamma_family || family == beta_family ||
    family == inverse_gaussian_family;
  vector<Type> rows(y.size());
  for (int i = 0; i < y.size(); i++) {
    Type e = eta(i), phi = exp(etad(i));
    Type mu = link == identity_link ? e : link == log_link ? exp(e) : invlogit(e);
    Type part = 0;
    if (!(positive && y(i) == zero)) switch (family) {
    case gaussian_family: part = dnorm(y(i), mu, phi, true); break;
    case nbinom2_family: part = dnbinom_robust(y(i), log(mu), Type(2 * log(mu) - etad(i)), true); break;
    case beta_family: part = dbeta(y(i), Type(mu * phi), Type((one - mu) * phi), true); break;
    case Gamma_family: part = dgamma(y(i), phi, Type(mu / phi), true); break;
    case lognormal_family: {
      Type v = log(one + phi * phi / (mu * mu));  // mean mu and standard deviation phi of y itself
      part = dnorm(log(y(i)), Type(log(mu) - v / 2), sqrt(v), true) - log(y(i));
      break;
    }
    case skewnormal_family: {
      Type delta = psi(0) / sqrt(one + psi(0) * psi(0));
      Type omega = phi / sqrt(one - 2 / M_PI * delta * delta);
      Type z = (y(i) - mu) / omega + delta * sqrt(2 / M_PI);
      part = log(Type(2)) + dnorm(z, zero, one, true) - log(omega) + log(pnorm(Type(psi(0) * z)));
      break;
    }
    case bell_family: {
      Type w = lambert(mu);
      part = y(i) * log(w) - exp(w) + one + log_bell(i);
      break;
    }
    case nbinom12_family: {
      Type extra = log(mu) + logspace_add(etad(i), Type(log(mu) - psi(0)));  // log of var - mu
      part = dnbinom_robust(y(i), log(mu), extra, true);
      break;
    }
    case inverse_gaussian_family:
      part = .5 * (etad(i) - log(2 * M_PI) - 3 * log(y(i))) -
        .5 * phi * (y(i) - mu) * (y(i) - mu) / (mu * mu * y(i));
      break;
    default: error("family");
    }
    if (zeros) {
      Type inflated = -logspace_add(zero, Type(-etazi(i))), other = -logspace_add(zero, etazi(i));
      if (y(i) > zero) part += other;
      else if (positive) part = inflated;
      else part = logspace_add(inflated, Type(other + part));
    }
    rows(i) = weights(i) * part;
    answer -= rows(i);
  }
  REPORT(rows); REPORT(eta); REPORT(etazi); REPORT(etad);
  return answer;
}
