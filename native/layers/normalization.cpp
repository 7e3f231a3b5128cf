#include "normalization.h"

#include <algorithm>

namespace recurra {

template <typename T>
void AnyNormalization<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  if (dgamma) pieces.push_back({dgamma, settings.columns});
  if (dbeta) pieces.push_back({dbeta, settings.columns});
}

template <typename T>
void AnyNormalization<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size, bool of_columns) {
  rows = N * parts_of(x_size, settings.columns);
  y = layout.take(N * x_size);
  standardized = layout.take(N * x_size);
  inverse = layout.take(of_columns ? settings.columns : rows);
}

template <typename T>
Normalization<T> AnyNormalization<T>::placed(T* buffer) const {
  Normalization<T> s = settings;
  s.rows = rows, s.standardized = buffer + standardized, s.inverse = buffer + inverse;
  return s;
}

template <typename T>
void AnyNormalization<T>::zero_gradients() const {
  if (dgamma) std::fill_n(dgamma, settings.columns, T(0));
  if (dbeta) std::fill_n(dbeta, settings.columns, T(0));
}

// Normalization -------------------------------------------------------------------------------------------------------

template <typename T>
void NormalizationLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T*, States<T>) const {
  Normalization<T> s = this->settings;
  s.rows = N * parts_of(x_size, s.columns);
  kernels().of<T>().normalize(s, to, given.x);
}

template <typename T>
void NormalizationLayer<T>::forward(T* buffer, Given<T> given) const {
  kernels().of<T>().normalize(this->placed(buffer), buffer + this->y, given.x);
}

template <typename T>
void NormalizationLayer<T>::backward(T* buffer, T*, Given<T>, T* dy, T* dx, bool fresh) const {
  if (fresh) this->zero_gradients();
  kernels().of<T>().normalize_gradient(this->placed(buffer), dx, this->dgamma, this->dbeta, dy);
}

// Batch normalization -------------------------------------------------------------------------------------------------

template <typename T>
void BatchNormalizationLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T*, States<T>) const {
  Normalization<T> s = this->settings;
  s.rows = N * parts_of(x_size, s.columns);
  kernels().of<T>().normalize_columns(s, to, mean, variance, given.x, false);
}

template <typename T>
void BatchNormalizationLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  AnyNormalization<T>::lay_out(layout, N, x_size, true);
  moments = layout.take(2 * this->settings.columns);
}

template <typename T>
void BatchNormalizationLayer<T>::forward(T* buffer, Given<T> given) const {
  const int64_t columns = this->settings.columns;
  T* own[] = {mean, variance};
  T* batch[] = {buffer + moments, buffer + moments + columns};
  T** used = of_batch ? batch : own;
  kernels().of<T>().normalize_columns(this->placed(buffer), buffer + this->y, used[0], used[1], given.x, of_batch);
  const T kept = static_cast<T>(momentum), rest = static_cast<T>(1 - momentum);
  for (int i = 0; of_batch && i < 2; ++i) {
    for (int64_t j = 0; j < columns; ++j) own[i][j] = own[i][j] * kept + batch[i][j] * rest;
  }
}

template <typename T>
void BatchNormalizationLayer<T>::backward(T* buffer, T*, Given<T>, T* dy, T* dx, bool fresh) const {
  if (fresh) this->zero_gradients();
  kernels().of<T>().normalize_columns_gradient(this->placed(buffer), dx, this->dgamma, this->dbeta, dy, of_batch);
}

template struct NormalizationLayer<float>;
template struct NormalizationLayer<double>;
template struct BatchNormalizationLayer<float>;
template struct BatchNormalizationLayer<double>;
template struct AnyNormalization<float>;
template struct AnyNormalization<double>;

}  // namespace recurra
