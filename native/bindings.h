// What the two files of bindings share: the options of a recurrent layer, and the definition of plans.
#pragma once

#include <nanobind/nanobind.h>

#include "arrays.h"
#include "plan.h"

namespace recurra {

struct SequenceOptions {
  Function activation, recurrent_activation;
  bool reset_after, go_backwards, zero_output_for_mask, return_sequences;
};

inline SequenceOptions sequence_options(int activation, int recurrent_activation, bool reset_after, bool go_backwards,
                                        bool zero_output_for_mask, bool return_sequences) {
  for (const int number : {activation, recurrent_activation}) {
    require(number >= 0 && number < kSequenceFunctions, "not an activation of the sequence kernels");
  }
  return {static_cast<Function>(activation),
          static_cast<Function>(recurrent_activation),
          reset_after,
          go_backwards,
          zero_output_for_mask,
          return_sequences};
}

// S: SequenceForward or SequenceBackward.
template <typename S>
void set_options(S& s, const SequenceOptions& o) {
  s.activation = o.activation;
  s.recurrent_activation = o.recurrent_activation;
  s.reset_after = o.reset_after;
  s.go_backwards = o.go_backwards;
  s.zero_output_for_mask = o.zero_output_for_mask;
  s.return_sequences = o.return_sequences;
}

template <typename T>
T* bias_data(const Maybe<T>& bias, Cell cell, bool reset_after, int64_t H) {
  if (cell == Cell::gru && reset_after) return data(bias, {2, 3 * H}, "bias must be (2, 3H)");
  return data(bias, {gates_of(cell) * H}, "bias must be (G*H)");
}

void define_plans(nanobind::module_& m);

}  // namespace recurra
