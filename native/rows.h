// Copies and sums of rows by their numbers.
#pragma once

#include <cstdint>
#include <cstring>

namespace recurra {

template <typename T>
void copy(T* to, const T* from, int64_t count) {
  std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
}

// out[index[i]] += rows[i], one after the other: out (R, width), rows (count, width).
template <typename T, typename Index>
void add_rows(T* out, const T* rows, const Index* index, int64_t count, int64_t width) {
  for (int64_t i = 0; i < count; ++i, rows += width) {
    T* to = out + static_cast<int64_t>(index[i]) * width;
    for (int64_t j = 0; j < width; ++j) to[j] += rows[j];
  }
}

}  // namespace recurra
