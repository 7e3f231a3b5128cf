#include "orthonormal.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dispatch.h"

namespace recurra {

namespace {

constexpr int64_t kPanel = 48;
constexpr int kPasses = 10;               // more than the worst independent rows take
constexpr double kSmallestPivot = 1e-11;  // that is divided by
constexpr double kShift = 1e-10;          // of the diagonal, where a pivot is less

using Matrix = std::vector<double>;

// out (M, N) = or += a (M, K) @ b, or b^T.
void product(double* out, const double* a, const double* b, int64_t M, int64_t N, int64_t K, bool transpose_b,
             bool accumulate = false) {
  Matmul<double> s{};
  s.M = M, s.N = N, s.K = K;
  s.out = out, s.a = a, s.b = b;
  s.transpose_b = transpose_b, s.accumulate = accumulate;
  s.most_threads = 1;  // two took half as long again in a process that had just begun, and saved a quarter later on
  kernels().of_double.matmul(s);
}

double square_of(const double* row, int64_t size) { return kernels().of_double.sum_of_squares(row, size); }

// rows -= (rows @ panel^T) @ panel: takes from them what they have in common with an orthonormal panel.
void take_projection(double* rows, int64_t count, const double* panel, int64_t width, int64_t size, Matrix& common) {
  common.resize(static_cast<size_t>(count * width));
  product(common.data(), rows, panel, count, width, size, true);
  for (double& value : common) value = -value;
  product(rows, common.data(), panel, count, size, width, false, true);
}

// The inverse of the lower Cholesky factor of a symmetric matrix (size, size) whose diagonal is at most one, by
// elimination; false if the matrix is not positive definite, or nearly so.
bool inverse_cholesky(Matrix matrix, Matrix& inverse, int64_t size) {
  inverse.assign(static_cast<size_t>(size * size), 0);
  for (int64_t i = 0; i < size; ++i) {
    double *row = &matrix[i * size], *inverse_row = &inverse[i * size];
    inverse_row[i] = 1;
    for (int64_t k = 0; k < i; ++k) {
      const double *above = &matrix[k * size], *inverse_above = &inverse[k * size];
      const double factor = above[i];
      for (int64_t j = i; j < size; ++j) row[j] = row[j] - factor * above[j];
      for (int64_t j = 0; j <= k; ++j) inverse_row[j] = inverse_row[j] - factor * inverse_above[j];
    }
    if (!(row[i] > kSmallestPivot)) return false;
    const double scale = 1 / std::sqrt(row[i]);
    for (int64_t j = i; j < size; ++j) row[j] = row[j] * scale;
    for (int64_t j = 0; j <= i; ++j) inverse_row[j] = inverse_row[j] * scale;
  }
  return true;
}

}  // namespace

// Block Gram-Schmidt: a panel of rows is multiplied by the inverse of the Cholesky factor of its inner products
// (Cholesky QR, Stathopoulos and Wu, 2002), then all rows after it lose their projection on it. Where a row has shrunk
// to less than half its length the panel goes through both again, as the last ones of a square matrix do: twice is
// enough (Giraud et al., 2005). LAPACK would do as well, but its bits differ between processors and builds, and every
// training begins here.
bool orthonormalize(double* rows, int64_t count, int64_t size) {
  Matrix length(static_cast<size_t>(count)), common, inner, inverse, result;
  for (int64_t i = 0; i < count; ++i) length[i] = std::sqrt(square_of(rows + i * size, size));
  for (int64_t start = 0; start < count; start += kPanel) {
    const int64_t width = std::min(kPanel, count - start);
    double* panel = rows + start * size;
    bool done = false;
    for (int pass = 0; pass < kPasses && !done; ++pass) {
      double* scale = &length[start];
      if (pass > 0) {
        for (int64_t i = 0; i < width; ++i) scale[i] = std::sqrt(square_of(panel + i * size, size));
        for (int64_t before = 0; before < start; before += kPanel) {
          take_projection(panel, width, rows + before * size, kPanel, size, common);
        }
      }
      inner.resize(static_cast<size_t>(width * width));
      product(inner.data(), panel, panel, width, width, size, true);
      for (int64_t i = 0; i < width; ++i) {
        inner[i * width + i] = square_of(panel + i * size, size);  // more exact than one chain of sums
        for (int64_t j = 0; j < width; ++j) {
          inner[i * width + j] = inner[i * width + j] / scale[i] / scale[j];
        }
      }
      if (!inverse_cholesky(inner, inverse, width)) {
        // With a shift (Fukaya et al., 2020) this pass brings the rows near enough for the next one.
        for (int64_t i = 0; i < width; ++i) inner[i * width + i] += kShift;
        if (!inverse_cholesky(inner, inverse, width)) return false;
      }
      done = true;
      for (int64_t i = 0; i < width; ++i) {
        done = done && square_of(&inverse[i * width], width) <= 4;
        for (int64_t j = 0; j < width; ++j) inverse[i * width + j] = inverse[i * width + j] / scale[j];
      }
      result.resize(static_cast<size_t>(width * size));
      product(result.data(), inverse.data(), panel, width, size, width, false);
      std::copy(result.begin(), result.end(), panel);
    }
    if (!done) return false;
    const int64_t end = start + width;
    if (end < count) take_projection(rows + end * size, count - end, panel, width, size, common);
  }
  return true;
}

}  // namespace recurra
