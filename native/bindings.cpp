// The module recurra._native: array types, shape checks, GIL release, nothing numeric.
//
// Outputs are passed in, allocated by ops/native.py. A check that fails throws a short fact; Python's public functions
// have checked before and say it in a sentence.
#include "bindings.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <string>

#include "arrays.h"
#include "dispatch.h"
#include "orthonormal.h"
#include "rows.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace recurra {
namespace {

// About what a sequence and a pass over elements cost: compute() wants to know.
template <typename S>
double flops(const S& s) {
  return 8.0 * static_cast<double>(s.N * s.T_) * static_cast<double>((s.D + s.H + 20) * s.H);
}
template <typename T>
double flops(const Input<T>& x) {
  return 20.0 * static_cast<double>(x.size());
}

// Sizes and the arrays that a run is given, forward and backward.
template <typename T>
void set_arrays(Sequence<T>& s, Cell cell, const Input<T>& x, const Input<T>& kernel, const Input<T>& recurrent,
                const Mask& mask, const Maybe<const T>& dropout) {
  require(x.ndim() == 3, "x must be (N, T, D)");
  require(recurrent.ndim() == 2, "recurrent_kernel must be (H, G*H)");
  const int64_t gates = gates_of(cell);
  s.N = x.shape(0), s.T_ = x.shape(1), s.D = x.shape(2), s.H = recurrent.shape(0);
  require(s.H > 0, "recurrent_kernel must have rows");
  s.x = x.data();
  s.kernel = data(kernel, {s.D, gates * s.H}, "kernel must be (D, G*H)");
  s.recurrent = data(recurrent, {s.H, gates * s.H}, "recurrent_kernel must be (H, G*H)");
  s.mask = data<const bool>(mask, {s.N, s.T_}, "mask must be (N, T)");
  s.dropout = data(dropout, {gates, s.N, s.H}, "dropout must be (G, N, H)");
}

template <typename T>
T* output_data(const Maybe<T>& y, bool return_sequences, int64_t N, int64_t steps, int64_t H) {
  if (return_sequences) return data(y, {N, steps, H}, "y must be (N, T, H)");
  return data(y, {N, H}, "y must be (N, H)");
}

template <typename T>
SequenceForward<T> forward_arguments(Cell cell, const Sequence<T>& o, const Array<T>& y, const Array<T>& h,
                                     const Maybe<T>& gates, const Maybe<T>& hs, const Input<T>& x,
                                     const Input<T>& kernel, const Input<T>& recurrent, const Maybe<const T>& bias,
                                     const Maybe<const T>& h0, const Mask& mask, const Maybe<const T>& dropout) {
  SequenceForward<T> s{};
  static_cast<Sequence<T>&>(s) = o;
  set_arrays<T>(s, cell, x, kernel, recurrent, mask, dropout);
  s.y = output_data<T>(y, s.return_sequences, s.N, s.T_, s.H);
  s.h = data(h, {s.N, s.H}, "h must be (N, H)");
  s.gates = data(gates, {s.T_, s.N, 4 * s.H}, "gates must be (T, N, 4H)");
  s.hs = data(hs, {s.T_ + 1, s.N, s.H}, "hs must be (T + 1, N, H)");
  require((cell == Cell::simple_rnn) || (s.gates != nullptr) == (s.hs != nullptr), "gates and hs go together");
  s.bias = bias_data(bias, cell, s.reset_after, s.H);
  s.h0 = data(h0, {s.N, s.H}, "h0 must be (N, H)");
  return s;
}

template <typename T>
SequenceBackward<T> backward_arguments(Cell cell, const Sequence<T>& o, const Maybe<T>& dx, const Array<T>& dh,
                                       const Maybe<T>& dkernel, const Maybe<T>& drecurrent, const Maybe<T>& dbias,
                                       const Maybe<const T>& gates, const Maybe<const T>& dy, const Input<T>& hs,
                                       const Input<T>& x, const Input<T>& kernel, const Input<T>& recurrent,
                                       const Mask& mask, const Maybe<const T>& dropout) {
  SequenceBackward<T> s{};
  static_cast<Sequence<T>&>(s) = o;
  set_arrays<T>(s, cell, x, kernel, recurrent, mask, dropout);
  const int64_t weight_gates = gates_of(cell);
  s.dx = data(dx, {s.N, s.T_, s.D}, "dx must be (N, T, D)");
  s.dh = data(dh, {s.N, s.H}, "dh must be (N, H)");
  s.dkernel = data(dkernel, {s.D, weight_gates * s.H}, "dkernel must be (D, G*H)");
  s.drecurrent = data(drecurrent, {s.H, weight_gates * s.H}, "drecurrent_kernel must be (H, G*H)");
  s.dbias = bias_data(dbias, cell, s.reset_after, s.H);
  s.gates = data(gates, {s.T_, s.N, 4 * s.H}, "gates must be (T, N, 4H)");
  require((cell == Cell::simple_rnn) == (s.gates == nullptr), "LSTM and GRU need gates");
  s.dy = output_data(dy, s.return_sequences, s.N, s.T_, s.H);
  s.hs = data(hs, {s.T_ + 1, s.N, s.H}, "hs must be (T + 1, N, H)");
  return s;
}

template <typename T>
void define_sequences(nb::module_& m) {
  m.def(
      "simple_rnn_forward",
      [](Array<T> y, Array<T> h, Maybe<T> hs, Input<T> x, Input<T> kernel, Input<T> recurrent_kernel,
         Maybe<const T> bias, Maybe<const T> h0, Mask mask, Maybe<const T> dropout, int activation, bool go_backwards,
         bool zero_output_for_mask, bool return_sequences) {
        const Sequence<T> o =
            sequence_options<T>(activation, 0, false, go_backwards, zero_output_for_mask, return_sequences);
        const SequenceForward<T> s = forward_arguments<T>(Cell::simple_rnn, o, y, h, std::nullopt, hs, x, kernel,
                                                          recurrent_kernel, bias, h0, mask, dropout);
        compute(flops(s), [&] { kernels().of<T>().simple_rnn_forward(s); });
      },
      "y"_a, "h"_a, "hs"_a.none(), "x"_a, "kernel"_a, "recurrent_kernel"_a, "bias"_a.none(), "h0"_a.none(),
      "mask"_a.none(), "dropout"_a.none(), "activation"_a, "go_backwards"_a, "zero_output_for_mask"_a,
      "return_sequences"_a);

  m.def(
      "simple_rnn_backward",
      [](Maybe<T> dx, Array<T> dh, Maybe<T> dkernel, Maybe<T> drecurrent_kernel, Maybe<T> dbias, Maybe<const T> dy,
         Input<T> hs, Input<T> x, Input<T> kernel, Input<T> recurrent_kernel, Mask mask, Maybe<const T> dropout,
         int activation, bool go_backwards, bool zero_output_for_mask, bool return_sequences) {
        const Sequence<T> o =
            sequence_options<T>(activation, 0, false, go_backwards, zero_output_for_mask, return_sequences);
        const SequenceBackward<T> s =
            backward_arguments<T>(Cell::simple_rnn, o, dx, dh, dkernel, drecurrent_kernel, dbias, std::nullopt, dy, hs,
                                  x, kernel, recurrent_kernel, mask, dropout);
        compute(flops(s), [&] { kernels().of<T>().simple_rnn_backward(s); });
      },
      "dx"_a.none(), "dh"_a, "dkernel"_a.none(), "drecurrent_kernel"_a.none(), "dbias"_a.none(), "dy"_a.none(), "hs"_a,
      "x"_a, "kernel"_a, "recurrent_kernel"_a, "mask"_a.none(), "dropout"_a.none(), "activation"_a, "go_backwards"_a,
      "zero_output_for_mask"_a, "return_sequences"_a);

  m.def(
      "lstm_forward",
      [](Array<T> y, Array<T> h, Array<T> c, Maybe<T> gates, Maybe<T> hs, Maybe<T> cs, Input<T> x, Input<T> kernel,
         Input<T> recurrent_kernel, Maybe<const T> bias, Maybe<const T> h0, Maybe<const T> c0, Mask mask,
         Maybe<const T> dropout, int activation, int recurrent_activation, bool go_backwards, bool zero_output_for_mask,
         bool return_sequences) {
        const Sequence<T> o = sequence_options<T>(activation, recurrent_activation, false, go_backwards,
                                                  zero_output_for_mask, return_sequences);
        SequenceForward<T> s =
            forward_arguments<T>(Cell::lstm, o, y, h, gates, hs, x, kernel, recurrent_kernel, bias, h0, mask, dropout);
        s.c = data(c, {s.N, s.H}, "c must be (N, H)");
        s.cs = data(cs, {s.T_ + 1, s.N, s.H}, "cs must be (T + 1, N, H)");
        s.c0 = data(c0, {s.N, s.H}, "c0 must be (N, H)");
        require((s.cs != nullptr) == (s.hs != nullptr), "hs and cs go together");
        compute(flops(s), [&] { kernels().of<T>().lstm_forward(s); });
      },
      "y"_a, "h"_a, "c"_a, "gates"_a.none(), "hs"_a.none(), "cs"_a.none(), "x"_a, "kernel"_a, "recurrent_kernel"_a,
      "bias"_a.none(), "h0"_a.none(), "c0"_a.none(), "mask"_a.none(), "dropout"_a.none(), "activation"_a,
      "recurrent_activation"_a, "go_backwards"_a, "zero_output_for_mask"_a, "return_sequences"_a);

  m.def(
      "lstm_backward",
      [](Maybe<T> dx, Array<T> dh, Array<T> dc, Maybe<T> dkernel, Maybe<T> drecurrent_kernel, Maybe<T> dbias,
         Maybe<const T> dy, Input<T> gates, Input<T> hs, Input<T> cs, Input<T> x, Input<T> kernel,
         Input<T> recurrent_kernel, Mask mask, Maybe<const T> dropout, int activation, int recurrent_activation,
         bool go_backwards, bool zero_output_for_mask, bool return_sequences) {
        const Sequence<T> o = sequence_options<T>(activation, recurrent_activation, false, go_backwards,
                                                  zero_output_for_mask, return_sequences);
        SequenceBackward<T> s = backward_arguments<T>(Cell::lstm, o, dx, dh, dkernel, drecurrent_kernel, dbias, gates,
                                                      dy, hs, x, kernel, recurrent_kernel, mask, dropout);
        s.dc = data(dc, {s.N, s.H}, "dc must be (N, H)");
        s.cs = data(cs, {s.T_ + 1, s.N, s.H}, "cs must be (T + 1, N, H)");
        compute(flops(s), [&] { kernels().of<T>().lstm_backward(s); });
      },
      "dx"_a.none(), "dh"_a, "dc"_a, "dkernel"_a.none(), "drecurrent_kernel"_a.none(), "dbias"_a.none(), "dy"_a.none(),
      "gates"_a, "hs"_a, "cs"_a, "x"_a, "kernel"_a, "recurrent_kernel"_a, "mask"_a.none(), "dropout"_a.none(),
      "activation"_a, "recurrent_activation"_a, "go_backwards"_a, "zero_output_for_mask"_a, "return_sequences"_a);

  m.def(
      "gru_forward",
      [](Array<T> y, Array<T> h, Maybe<T> gates, Maybe<T> hs, Input<T> x, Input<T> kernel, Input<T> recurrent_kernel,
         Maybe<const T> bias, Maybe<const T> h0, Mask mask, Maybe<const T> dropout, bool reset_after, int activation,
         int recurrent_activation, bool go_backwards, bool zero_output_for_mask, bool return_sequences) {
        const Sequence<T> o = sequence_options<T>(activation, recurrent_activation, reset_after, go_backwards,
                                                  zero_output_for_mask, return_sequences);
        const SequenceForward<T> s =
            forward_arguments<T>(Cell::gru, o, y, h, gates, hs, x, kernel, recurrent_kernel, bias, h0, mask, dropout);
        compute(flops(s), [&] { kernels().of<T>().gru_forward(s); });
      },
      "y"_a, "h"_a, "gates"_a.none(), "hs"_a.none(), "x"_a, "kernel"_a, "recurrent_kernel"_a, "bias"_a.none(),
      "h0"_a.none(), "mask"_a.none(), "dropout"_a.none(), "reset_after"_a, "activation"_a, "recurrent_activation"_a,
      "go_backwards"_a, "zero_output_for_mask"_a, "return_sequences"_a);

  m.def(
      "gru_backward",
      [](Maybe<T> dx, Array<T> dh, Maybe<T> dkernel, Maybe<T> drecurrent_kernel, Maybe<T> dbias, Maybe<const T> dy,
         Input<T> gates, Input<T> hs, Input<T> x, Input<T> kernel, Input<T> recurrent_kernel, Mask mask,
         Maybe<const T> dropout, bool reset_after, int activation, int recurrent_activation, bool go_backwards,
         bool zero_output_for_mask, bool return_sequences) {
        const Sequence<T> o = sequence_options<T>(activation, recurrent_activation, reset_after, go_backwards,
                                                  zero_output_for_mask, return_sequences);
        const SequenceBackward<T> s = backward_arguments<T>(Cell::gru, o, dx, dh, dkernel, drecurrent_kernel, dbias,
                                                            gates, dy, hs, x, kernel, recurrent_kernel, mask, dropout);
        compute(flops(s), [&] { kernels().of<T>().gru_backward(s); });
      },
      "dx"_a.none(), "dh"_a, "dkernel"_a.none(), "drecurrent_kernel"_a.none(), "dbias"_a.none(), "dy"_a.none(),
      "gates"_a, "hs"_a, "x"_a, "kernel"_a, "recurrent_kernel"_a, "mask"_a.none(), "dropout"_a.none(), "reset_after"_a,
      "activation"_a, "recurrent_activation"_a, "go_backwards"_a, "zero_output_for_mask"_a, "return_sequences"_a);
}

// out[index[i]] += rows[i], one after the other: out (R, D), rows (count, D).
template <typename T>
void add_rows_checked(Array<T> out, Input<T> rows, Input<int64_t> index) {
  require(out.ndim() == 2 && index.ndim() == 1, "out must be (R, D) and index (count)");
  const int64_t R = out.shape(0), D = out.shape(1), count = index.shape(0);
  const T* from = data(rows, {count, D}, "rows must be (count, D)");
  const int64_t* places = index.data();
  for (int64_t i = 0; i < count; ++i) {
    if (places[i] < 0 || places[i] >= R) throw nb::index_error("index outside the rows of out");
  }
  compute(static_cast<double>(count * D), [&] { add_rows(out.data(), from, places, count, D); });
}

// A convolution of x with a kernel or what belongs to it, with the y of which `steps` are wanted.
template <typename T, typename X, typename Kernel, typename Y>
Convolution<T> convolution(const Y& y, const X& x, const Kernel& kernel, int64_t stride, int64_t dilation) {
  require(x.ndim() == 3 && kernel.ndim() == 3 && y.ndim() == 3, "x, kernel and y must have three axes");
  Convolution<T> s{};
  s.N = x.shape(0), s.timesteps = x.shape(1), s.D = x.shape(2);
  s.steps = y.shape(1), s.F = y.shape(2);
  s.size = kernel.shape(0), s.stride = stride, s.dilation = dilation;
  require(s.size > 0 && stride > 0 && dilation > 0 && s.steps > 0, "sizes must be positive");
  require((s.steps - 1) * stride + (s.size - 1) * dilation < s.timesteps, "all windows must lie in x");
  const int64_t features = kernel.shape(1);
  require(features > 0 && s.D % features == 0, "D must be a multiple of the kernel's features");
  s.groups = s.D / features;
  require(y.shape(0) == s.N && kernel.shape(2) == s.F && s.F % s.groups == 0, "N, F and groups must agree");
  s.x = x.data();
  return s;
}

// Windows of x, with the y that holds one value for each.
template <typename T, typename Y>
Pooling<T> pooling(int kind, const Y& y, const Input<T>& x, int64_t size, int64_t stride, int64_t before) {
  require(kind >= 0 && kind < kPoolKinds, "not a way to pool");
  require(x.ndim() == 3 && y.ndim() == 3, "x and y must have three axes");
  const Pooling<T> s{static_cast<PoolKind>(kind), x.shape(0), x.shape(1), x.shape(2), y.shape(1), size, stride, before};
  require(size > 0 && stride > 0 && s.steps > 0 && before >= 0 && before < size, "sizes must be positive");
  require((s.steps - 1) * stride - before < s.timesteps, "all windows must hold a step of x");
  require(y.shape(0) == s.N && y.shape(2) == s.D, "y must be (N, windows, D)");
  return s;
}

// The normalization of the rows of x, or of the columns, or of others like them.
template <typename T>
Normalization<T> normalization(bool of_columns, const Input<T>& x, const Maybe<const T>& gamma, double epsilon,
                               const Maybe<T>& standardized, const Maybe<T>& inverse) {
  require(x.ndim() == 2 && x.shape(1) > 0, "x must be (rows, columns)");
  const int64_t kept = of_columns ? x.shape(1) : x.shape(0);
  Normalization<T> s{};
  s.rows = x.shape(0), s.columns = x.shape(1), s.epsilon = epsilon;
  s.gamma = data(gamma, {s.columns}, "gamma must be (columns)");
  s.standardized = data(standardized, {s.rows, s.columns}, "standardized must be (rows, columns)");
  require(!inverse || inverse->size() == kept, "inverse must be one for each that is brought to mean 0");
  s.inverse = inverse ? inverse->data() : nullptr;
  return s;
}

// ids, fractions cut off, as numbers of T, which whole numbers up to 2^24 are in any; false where one is not from 0 to
// rows - 1.
template <typename T, typename Id>
bool as_row_numbers(Array<T> out, Input<Id> ids, int64_t rows) {
  require(out.size() == ids.size(), "out must have the size of ids");
  bool fit = true;
  for (int64_t i = 0; i < ids.size(); ++i) {
    const Id id = ids.data()[i];
    fit = fit && id > Id(-1) && id < static_cast<Id>(rows);  // not so for NaN
    out.data()[i] = fit ? static_cast<T>(static_cast<int64_t>(id)) : T(0);
  }
  return fit;
}

// a @ b, either of them perhaps transposed: the sizes from `axis` on.
template <typename T>
Matmul<T> product_of(const Input<T>& a, const Input<T>& b, size_t axis, bool transpose_a, bool transpose_b) {
  require(!(transpose_a && transpose_b), "at most one of a and b may be transposed");
  Matmul<T> s{};
  s.M = a.shape(axis + transpose_a), s.K = a.shape(axis + !transpose_a), s.N = b.shape(axis + !transpose_b);
  require(b.shape(axis + transpose_b) == s.K, "a and b must agree in K");
  s.transpose_a = transpose_a, s.transpose_b = transpose_b;
  s.a = a.data(), s.b = b.data();
  return s;
}

template <typename T>
double flops(const Matmul<T>& s) {
  return 2.0 * static_cast<double>(s.M) * static_cast<double>(s.N) * static_cast<double>(s.K);
}

template <typename T>
void define_products(nb::module_& m) {
  m.def(
      "matmul",
      [](Array<T> out, Input<T> a, Input<T> b, Maybe<const T> bias, bool transpose_a, bool transpose_b,
         bool accumulate) {
        require(a.ndim() == 2 && b.ndim() == 2 && out.ndim() == 2, "a, b and out must have two axes");
        Matmul<T> s = product_of(a, b, 0, transpose_a, transpose_b);
        s.accumulate = accumulate;
        s.out = data(out, {s.M, s.N}, "out must be (M, N)");
        s.bias = data(bias, {s.N}, "bias must be (N)");
        compute(flops(s), [&] { kernels().of<T>().matmul(s); });
      },
      "out"_a, "a"_a, "b"_a, "bias"_a.none(), "transpose_a"_a, "transpose_b"_a, "accumulate"_a);

  m.def(
      "batched_matmul",
      [](Array<T> out, Input<T> a, Input<T> b, bool transpose_a, bool transpose_b) {
        require(a.ndim() == 3 && b.ndim() == 3 && out.ndim() == 3, "a, b and out must have three axes");
        const int64_t batch = a.shape(0);
        require(b.shape(0) == batch, "a and b must agree in B");
        Matmul<T> s = product_of(a, b, 1, transpose_a, transpose_b);
        s.out = data(out, {batch, s.M, s.N}, "out must be (B, M, N)");
        compute(static_cast<double>(batch) * flops(s), [&] {
          for (int64_t i = 0; i < batch; ++i) {
            kernels().of<T>().matmul(s);
            s.out += s.M * s.N, s.a += s.M * s.K, s.b += s.K * s.N;
          }
        });
      },
      "out"_a, "a"_a, "b"_a, "transpose_a"_a, "transpose_b"_a);
}

template <typename T>
void define_windows(nb::module_& m) {
  m.def(
      "convolve",
      [](Array<T> y, Input<T> x, Input<T> kernel, Maybe<const T> bias, int64_t stride, int64_t dilation) {
        Convolution<T> s = convolution<T>(y, x, kernel, stride, dilation);
        s.y = y.data(), s.kernel = kernel.data();
        s.bias = data(bias, {s.F}, "bias must be (F)");
        compute(s.flops(), [&] { kernels().of<T>().convolve(s); });
      },
      "y"_a, "x"_a, "kernel"_a, "bias"_a.none(), "stride"_a, "dilation"_a);

  m.def(
      "convolve_gradient",
      [](Array<T> dkernel, Input<T> dy, Input<T> x, int64_t stride, int64_t dilation) {
        const Convolution<T> s = convolution<T>(dy, x, dkernel, stride, dilation);
        compute(s.flops(), [&] { kernels().of<T>().convolve_gradient(s, dkernel.data(), dy.data()); });
      },
      "dkernel"_a, "dy"_a, "x"_a, "stride"_a, "dilation"_a);

  m.def(
      "pool",
      [](int kind, Array<T> y, Input<T> x, int64_t size, int64_t stride, int64_t before) {
        const Pooling<T> s = pooling<T>(kind, y, x, size, stride, before);
        compute(flops(x), [&] { kernels().of<T>().pool(s, y.data(), x.data()); });
      },
      "kind"_a, "y"_a, "x"_a, "size"_a, "stride"_a, "before"_a);

  m.def(
      "pool_gradient",
      [](int kind, Array<T> dx, Input<T> dy, Input<T> x, Input<T> y, int64_t size, int64_t stride, int64_t before) {
        const Pooling<T> s = pooling<T>(kind, y, x, size, stride, before);
        T* to = data(dx, {s.N, s.timesteps, s.D}, "dx must be (N, T, D)");
        const T* from = data(dy, {s.N, s.steps, s.D}, "dy must have the shape of y");
        compute(flops(x), [&] { kernels().of<T>().pool_gradient(s, to, from, x.data(), y.data()); });
      },
      "kind"_a, "dx"_a, "dy"_a, "x"_a, "y"_a, "size"_a, "stride"_a, "before"_a);
}

template <typename T>
void define_functions(nb::module_& m) {
  m.def(
      "map",
      [](int function, Array<T> y, Input<T> x) {
        require(function >= 0 && function < kFunctions, "not a function");
        require(y.size() == x.size(), "x and y must have one size");
        compute(flops(x),
                [&] { kernels().of<T>().map(static_cast<Function>(function), y.data(), x.data(), x.size()); });
      },
      "function"_a, "y"_a, "x"_a);

  m.def(
      "map_gradient",
      [](int function, Array<T> dx, Input<T> dy, Input<T> x, Input<T> y) {
        require(function >= 0 && function < kDifferentiableFunctions, "not a function with a gradient");
        const int64_t size = dx.size();
        require(dy.size() == size && x.size() == size && y.size() == size, "dx, dy, x and y must have one size");
        compute(flops(x), [&] {
          kernels().of<T>().map_gradient(static_cast<Function>(function), dx.data(), dy.data(), x.data(), y.data(),
                                         size);
        });
      },
      "function"_a, "dx"_a, "dy"_a, "x"_a, "y"_a);

  m.def(
      "softmax",
      [](Array<T> y, Input<T> x, bool logarithm) {
        require(x.ndim() == 2, "x must be (rows, columns)");
        T* out = data(y, {x.shape(0), x.shape(1)}, "y must be of x's shape");
        compute(flops(x), [&] { kernels().of<T>().softmax(out, x.data(), x.shape(0), x.shape(1), logarithm); });
      },
      "y"_a, "x"_a, "logarithm"_a);

  m.def(
      "softmax_gradient",
      [](Array<T> dx, Input<T> dy, Input<T> y, bool logarithm) {
        require(y.ndim() == 2, "y must be (rows, columns)");
        const int64_t rows = y.shape(0), columns = y.shape(1);
        T* out = data(dx, {rows, columns}, "dx must be of y's shape");
        const T* d = data(dy, {rows, columns}, "dy must be of y's shape");
        compute(flops(y), [&] { kernels().of<T>().softmax_gradient(out, d, y.data(), rows, columns, logarithm); });
      },
      "dx"_a, "dy"_a, "y"_a, "logarithm"_a);
}

template <typename T>
void define_losses(nb::module_& m) {
  m.def(
      "mean_loss",
      [](const LossOf<T>& loss, Maybe<T> dy, Input<T> y, Input<T> target, Maybe<const T> weights, double total) {
        require(y.ndim() > 0 && (!dy || dy->size() == y.size()), "dy and y must have one size");
        Loss<T> s = loss.of(y.size(), y.shape(y.ndim() - 1), target, weights, total);
        s.dy = dy ? dy->data() : nullptr, s.y = y.data();
        double mean = 0;
        compute(flops(y), [&] { mean = kernels().of<T>().loss(s); });
        return mean;
      },
      "loss"_a, "dy"_a.none(), "y"_a, "target"_a, "weights"_a.none(), "total"_a);

  m.def(
      "sum_of_squares",
      [](Input<T> x) {
        double sum = 0;
        compute(flops(x), [&] { sum = kernels().of<T>().sum_of_squares(x.data(), x.size()); });
        return sum;
      },
      "x"_a);
}

template <typename T>
void define_normalization(nb::module_& m) {
  m.def(
      "normalize",
      [](Array<T> y, Maybe<T> standardized, Maybe<T> inverse, Input<T> x, Maybe<const T> gamma, Maybe<const T> beta,
         double epsilon) {
        Normalization<T> s = normalization<T>(false, x, gamma, epsilon, standardized, inverse);
        s.beta = data(beta, {s.columns}, "beta must be (columns)");
        T* to = data(y, {s.rows, s.columns}, "y must be (rows, columns)");
        compute(flops(x), [&] { kernels().of<T>().normalize(s, to, x.data()); });
      },
      "y"_a, "standardized"_a.none(), "inverse"_a.none(), "x"_a, "gamma"_a.none(), "beta"_a.none(), "epsilon"_a);

  m.def(
      "normalize_gradient",
      [](Maybe<T> dx, Maybe<T> dgamma, Maybe<T> dbeta, Input<T> dy, Array<T> standardized, Array<T> inverse,
         Maybe<const T> gamma) {
        const Normalization<T> s = normalization<T>(false, dy, gamma, 0, Maybe<T>(standardized), Maybe<T>(inverse));
        T* to = data(dx, {s.rows, s.columns}, "dx must be (rows, columns)");
        T* to_gamma = data(dgamma, {s.columns}, "dgamma must be (columns)");
        T* to_beta = data(dbeta, {s.columns}, "dbeta must be (columns)");
        compute(flops(dy), [&] { kernels().of<T>().normalize_gradient(s, to, to_gamma, to_beta, dy.data()); });
      },
      "dx"_a.none(), "dgamma"_a.none(), "dbeta"_a.none(), "dy"_a, "standardized"_a, "inverse"_a, "gamma"_a.none());

  m.def(
      "normalize_columns",
      [](Array<T> y, Maybe<T> standardized, Maybe<T> inverse, Array<T> mean, Array<T> variance, Input<T> x,
         Maybe<const T> gamma, Maybe<const T> beta, double epsilon, bool of_batch) {
        Normalization<T> s = normalization<T>(true, x, gamma, epsilon, standardized, inverse);
        s.beta = data(beta, {s.columns}, "beta must be (columns)");
        T* to = data(y, {s.rows, s.columns}, "y must be (rows, columns)");
        T* means = data(mean, {s.columns}, "mean must be (columns)");
        T* variances = data(variance, {s.columns}, "variance must be (columns)");
        compute(flops(x), [&] { kernels().of<T>().normalize_columns(s, to, means, variances, x.data(), of_batch); });
      },
      "y"_a, "standardized"_a.none(), "inverse"_a.none(), "mean"_a, "variance"_a, "x"_a, "gamma"_a.none(),
      "beta"_a.none(), "epsilon"_a, "of_batch"_a);

  m.def(
      "normalize_columns_gradient",
      [](Array<T> dx, Maybe<T> dgamma, Maybe<T> dbeta, Input<T> dy, Array<T> standardized, Array<T> inverse,
         Maybe<const T> gamma, bool of_batch) {
        const Normalization<T> s = normalization<T>(true, dy, gamma, 0, Maybe<T>(standardized), Maybe<T>(inverse));
        T* to = data(dx, {s.rows, s.columns}, "dx must be (rows, columns)");
        T* to_gamma = data(dgamma, {s.columns}, "dgamma must be (columns)");
        T* to_beta = data(dbeta, {s.columns}, "dbeta must be (columns)");
        compute(flops(dy),
                [&] { kernels().of<T>().normalize_columns_gradient(s, to, to_gamma, to_beta, dy.data(), of_batch); });
      },
      "dx"_a, "dgamma"_a.none(), "dbeta"_a.none(), "dy"_a, "standardized"_a, "inverse"_a, "gamma"_a.none(),
      "of_batch"_a);
}

template <typename T>
void define_rows(nb::module_& m) {
  m.def("as_row_numbers", &as_row_numbers<T, T>, "out"_a, "ids"_a, "rows"_a);
  m.def("as_row_numbers", &as_row_numbers<T, int64_t>, "out"_a, "ids"_a, "rows"_a);
  m.def("add_rows", &add_rows_checked<T>, "out"_a, "rows"_a, "index"_a);
}

template <typename T>
void define_operations(nb::module_& m) {
  define_sequences<T>(m);
  define_products<T>(m);
  define_windows<T>(m);
  define_functions<T>(m);
  define_losses<T>(m);
  define_normalization<T>(m);
  define_rows<T>(m);
}

// Makes rows (count, size) orthonormal in place; false where one is a combination of others.
bool orthonormalize_rows(Array<double> rows) {
  require(rows.ndim() == 2, "rows must have two axes");
  const int64_t count = rows.shape(0), size = rows.shape(1);
  bool done = false;
  compute(4.0 * static_cast<double>(count * count * size), [&] { done = orthonormalize(rows.data(), count, size); });
  return done;
}

nb::dict info() {
  nb::dict result;
  result["target"] = kernels().name;
  result["supported"] = supported_targets();
  result["threads"] = get_num_threads();
  result["float32_lanes"] = kernels().float32_lanes;
  result["hardware_fma"] = kernels().hardware_fma;
#if defined(__clang__)
  result["compiler"] = "clang " __clang_version__;
#elif defined(__GNUC__)
  result["compiler"] = "gcc " __VERSION__;
#elif defined(_MSC_VER)
  result["compiler"] = "msvc " + std::to_string(_MSC_VER);
#endif
  return result;
}

}  // namespace
}  // namespace recurra

NB_MODULE(_native, m) {
  using namespace recurra;
  m.doc() = "Kernels of recurra; called by recurra.ops.native only.";
  nb::set_leak_warnings(false);  // a daemon thread that computes when Python exits keeps its objects: no mistake
  kernels();                     // a wrong RECURRA_TARGET or RECURRA_NUM_THREADS fails here, at import
  get_num_threads();
  define_operations<float>(m);
  define_operations<double>(m);
  m.def("orthonormalize", &orthonormalize_rows, "rows"_a);
  define_plans(m);
  m.def("info", &info);
  m.def("set_num_threads", &set_num_threads, "count"_a);
  m.def("get_num_threads", &get_num_threads);
}
