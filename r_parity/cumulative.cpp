// Negative joint log-density of a cumulative link mixed model on lme4's structure, for TMB:
// P(y <= j) = F((threshold[j] - eta) / scale), eta = offset + X beta + Z Lambda(theta) u, u standard normal.
#include <TMB.hpp>

enum Link { logit_link, probit_link, cloglog_link, loglog_link, cauchit_link };

template <class Type>
Type cumulative(Type x, int link) {
  switch (link) {
  case logit_link: return 1 / (1 + exp(-x));
  case probit_link: return pnorm(x);
  case cloglog_link: return 1 - exp(-exp(x));
  case loglog_link: return exp(-exp(-x));
  case cauchit_link: return .5 + atan(x) / M_PI;
  default: error("link"); return 0;
  }
}

template <class Type>
Type objective_function<Type>::operator()() {
  DATA_INTEGER(link);
  DATA_IVECTOR(y);       // 0, ..., categories - 1
  DATA_VECTOR(weights);
  DATA_VECTOR(offset); DATA_VECTOR(scale_offset);
  DATA_MATRIX(X);        // without intercept
  DATA_MATRIX(N);        // effects that differ between thresholds, the intercept first
  DATA_MATRIX(T);        // thresholds = T alpha
  DATA_MATRIX(S);        // log scale, without intercept
  DATA_SPARSE_MATRIX(Z);
  DATA_IVECTOR(row);     // entries of Lambda: Lambda[row, column] = theta[which]
  DATA_IVECTOR(column);
  DATA_IVECTOR(which);
  PARAMETER_VECTOR(alpha);  // T.cols() entries for each column of N
  PARAMETER_VECTOR(beta);
  PARAMETER_VECTOR(zeta);
  PARAMETER_VECTOR(theta);
  PARAMETER_VECTOR(u);

  vector<Type> b(u.size());
  b.setZero();
  for (int k = 0; k < row.size(); k++) b(row(k)) += theta(which(k)) * u(column(k));
  vector<Type> eta = offset + X * beta + Z * b, scale = exp(scale_offset + S * zeta);
  matrix<Type> cut(T.rows(), N.cols());
  for (int c = 0; c < N.cols(); c++)
    cut.col(c) = T * vector<Type>(alpha.segment(c * T.cols(), T.cols())).matrix();
  Type answer = 0;
  for (int i = 0; i < y.size(); i++) {
    Type below = 0, above = 1;
    for (int side = 0; side < 2; side++) {
      int j = y(i) - side;
      if (j < 0 || j >= T.rows()) continue;
      Type threshold = 0;
      for (int c = 0; c < N.cols(); c++) threshold += cut(j, c) * N(i, c);
      Type p = cumulative(Type((threshold - eta(i)) / scale(i)), link);
      if (side) below = p; else above = p;
    }
    answer -= weights(i) * log(above - below);
  }
  if (row.size()) answer += .5 * (u * u).sum() + .5 * log(2 * M_PI) * u.size();
  return answer;
}
