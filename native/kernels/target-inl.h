// What each target file exports: the table of its kernels.
#pragma once

#include "convolution-inl.h"
#include "gru-inl.h"
#include "kernels.h"
#include "loss-inl.h"
#include "lstm-inl.h"
#include "normalization-inl.h"
#include "optimizer-inl.h"
#include "pooling-inl.h"
#include "simple_rnn-inl.h"

namespace recurra::RECURRA_NAMESPACE {

template <typename T>
constexpr KernelsOf<T> kernels_of() {
  return {simple_rnn_forward<T>,
          simple_rnn_backward<T>,
          lstm_forward<T>,
          lstm_backward<T>,
          gru_forward<T>,
          gru_backward<T>,
          matmul<T>,
          convolve<T>,
          convolve_gradient<T>,
          pool<T>,
          pool_gradient<T>,
          map<T>,
          map_gradient<T>,
          softmax<T>,
          softmax_gradient<T>,
          normalize<T>,
          normalize_gradient<T>,
          normalize_columns<T>,
          normalize_columns_gradient<T>,
          adam<T>,
          rmsprop<T>,
          sgd<T>,
          sum_of_squares<T>,
          mean_loss<T>};
}

}  // namespace recurra::RECURRA_NAMESPACE
