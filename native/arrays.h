// NumPy arrays as arguments, by Python's buffer protocol: 0.2 us each, where nb::ndarray's DLPack takes 1 us.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <thread>
#include <type_traits>

#include "parallel.h"

namespace recurra {

// The data and the shape of a C-contiguous array, which the caller keeps alive.
template <typename T>
class Array {
 public:
  static constexpr int kMaxAxes = 8;

  // False where the object is no such array of that type.
  bool view(PyObject* object) noexcept {
    constexpr int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (std::is_const_v<T> ? 0 : PyBUF_WRITABLE);
    Py_buffer buffer;
    if (PyObject_GetBuffer(object, &buffer, flags) != 0) {
      PyErr_Clear();
      return false;
    }
    const bool fits = buffer.ndim <= kMaxAxes && buffer.itemsize == sizeof(T) && is_format(buffer.format);
    if (fits) {
      data_ = static_cast<T*>(buffer.buf);
      ndim_ = static_cast<size_t>(buffer.ndim);
      size_ = buffer.len / static_cast<int64_t>(sizeof(T));
      for (int i = 0; i < buffer.ndim; ++i) shape_[i] = buffer.shape[i];
    }
    PyBuffer_Release(&buffer);  // a NumPy array stays where it is: the argument keeps it alive
    return fits;
  }

  T* data() const { return data_; }
  size_t ndim() const { return ndim_; }
  int64_t size() const { return size_; }
  int64_t shape(size_t axis) const { return shape_[axis]; }

 private:
  static bool is_format(const char* format) {
    using Plain = std::remove_const_t<T>;
    const char* codes = std::is_same_v<Plain, float>     ? "f"
                        : std::is_same_v<Plain, double>  ? "d"
                        : std::is_same_v<Plain, bool>    ? "?"
                        : std::is_same_v<Plain, int64_t> ? "lq"
                                                         : "B";
    return format && format[0] && !format[1] && std::strchr(codes, format[0]);
  }

  T* data_ = nullptr;
  size_t ndim_ = 0;
  int64_t size_ = 0;
  int64_t shape_[kMaxAxes] = {};
};

template <typename T>
using Input = Array<const T>;
template <typename T>
using Maybe = std::optional<Array<T>>;
using Mask = std::optional<Input<bool>>;

inline void require(bool holds, const char* fact) {
  if (!holds) throw nanobind::value_error(fact);
}

template <typename T>
bool has_shape(const Array<T>& array, std::initializer_list<int64_t> shape) {
  if (array.ndim() != shape.size()) return false;
  size_t axis = 0;
  for (const int64_t length : shape) {
    if (array.shape(axis++) != length) return false;
  }
  return true;
}

// The data of an array of that shape; null for None.
template <typename T>
T* data(const Array<T>& array, std::initializer_list<int64_t> shape, const char* fact) {
  require(has_shape(array, shape), fact);
  return array.data();
}

template <typename T>
T* data(const Maybe<T>& array, std::initializer_list<int64_t> shape, const char* fact) {
  return array ? data(*array, shape, fact) : nullptr;
}

// Python's lock is given away while an object of this class lives. Once Python has begun to exit, taking the lock back
// ends the thread: before Python 3.14 by an exception, which no noexcept function on its way would survive. Such a
// thread sleeps until the process is gone, as it does from 3.14 on.
class WithoutLock {
 public:
  WithoutLock() : state_(PyEval_SaveThread()) {}
  ~WithoutLock() {
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    }
  }
  WithoutLock(const WithoutLock&) = delete;
  WithoutLock& operator=(const WithoutLock&) = delete;

 private:
  PyThreadState* state_;
};

// Runs a kernel in its floating point mode, without Python's lock where the work of about `flops` is worth the change
// of hands: others may then run, but getting the lock back takes time. Two threads that predict, times one thread, with
// the lock released and kept (LSTM(64), one row; 5 us of each call are Python's): 24 us 0.74 and 0.95, 27 us 0.82 and
// 0.93, 31 us 1.37 and 0.94, 35 us 1.54 and 0.98, 75 us 1.5 and 0.97, 290 us 1.64 and 0.94.
template <typename F>
void compute(double flops, F f) {
  constexpr double kWorthUnlocking = 2e6;  // about 35 us
  const FlushDenormals flush;
  if (flops < kWorthUnlocking) {
    f();
  } else {
    const WithoutLock unlocked;
    f();
  }
}

}  // namespace recurra

namespace nanobind::detail {

template <typename T>
struct type_caster<recurra::Array<T>> {
  NB_TYPE_CASTER(recurra::Array<T>, const_name("numpy.ndarray"))
  bool from_python(handle source, uint8_t, cleanup_list*) noexcept { return value.view(source.ptr()); }
};

}  // namespace nanobind::detail
