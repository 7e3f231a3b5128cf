// Features moved and scaled by numbers that training does not change.
#pragma once

#include "layer.h"

namespace recurra {

// y = (x - shift) / factor or, where it goes `back`, x * factor + shift, of each feature. A factor is either given or
// max(sqrt(variance), epsilon): variances may change between runs.
template <typename T>
struct ScalingLayer : AnyLayer<T> {
  int64_t D;
  const T *shift, *factor, *variance;  // (D), one of the latter two
  T epsilon;
  bool back;

  int64_t output_size(int64_t x_size) const { return parts_of(x_size, D) * D; }
  double flops(int64_t x_size) const { return static_cast<double>(2 * x_size); }
  int64_t infer_scratch(int64_t, int64_t) const { return variance ? D : 0; }
  void infer(T* y, Given<T> given, int64_t N, int64_t x_size, T* scratch, States<T> states) const;
  void lay_out(Layout<T>& layout, int64_t N, int64_t x_size);
  T* output(T* buffer) const { return buffer + y; }
  void forward(T* buffer, Given<T> given) const;
  void backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const;

  int64_t rows, y, factors;
};

}  // namespace recurra
