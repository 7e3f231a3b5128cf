#include "embedding.h"

#include <algorithm>

#include "../rows.h"

namespace recurra {

namespace {

template <typename T>
void take_rows(T* y, const EmbeddingLayer<T>& layer, const T* x, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    copy(y + i * layer.units, layer.table + static_cast<int64_t>(x[i]) * layer.units, layer.units);
  }
}

}  // namespace

template <typename T>
void EmbeddingLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  if (dtable) pieces.push_back({dtable, rows * units});
}

template <typename T>
void EmbeddingLayer<T>::make_mask(bool* mask, const T* x, int64_t N, int64_t x_size) const {
  for (int64_t i = 0; i < N * x_size; ++i) mask[i] = x[i] != 0;
}

template <typename T>
void EmbeddingLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T*, States<T>) const {
  take_rows(to, *this, given.x, N * x_size);
}

template <typename T>
void EmbeddingLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  count = N * x_size;
  y = layout.take(count * units);
}

template <typename T>
void EmbeddingLayer<T>::forward(T* buffer, Given<T> given) const {
  take_rows(buffer + y, *this, given.x, count);
}

template <typename T>
void EmbeddingLayer<T>::backward(T*, T*, Given<T> given, T* dy, T*, bool fresh) const {
  if (fresh) std::fill_n(dtable, rows * units, T(0));
  add_rows(dtable, dy, given.x, count, units);
}

template <typename T>
void EmbeddingLayer<T>::add_squares(T* v, T* scratch, std::vector<int32_t>& slots, const T* x, const T* dy,
                                    T factor) const {
  int32_t used = 0;
  for (int64_t i = 0; i < count; ++i) {
    int32_t& slot = slots[static_cast<size_t>(x[i])];
    if (slot == 0) std::fill_n(scratch + used * units, units, T(0)), slot = ++used;
    T* squares = scratch + (slot - 1) * units;
    for (int64_t j = 0; j < units; ++j) squares[j] += dy[i * units + j] * dy[i * units + j];
  }
  for (int64_t i = 0; i < count; ++i) {
    int32_t& slot = slots[static_cast<size_t>(x[i])];
    if (slot == 0) continue;
    const T *squares = scratch + (slot - 1) * units, *g = dtable + static_cast<int64_t>(x[i]) * units;
    T* to = v + static_cast<int64_t>(x[i]) * units;
    for (int64_t j = 0; j < units; ++j) to[j] += (squares[j] - g[j] * g[j]) * factor;
    slot = 0;
  }
}

template struct EmbeddingLayer<float>;
template struct EmbeddingLayer<double>;

}  // namespace recurra
