#include "dense.h"

#include "../rows.h"
#include "products.h"

namespace recurra {

template <typename T>
int64_t DenseLayer<T>::output_size(int64_t x_size) const {
  return parts_of(x_size, D) * units;
}

template <typename T>
double DenseLayer<T>::flops(int64_t x_size) const {
  return product_flops(x_size / D, kernel ? D : 0, units);
}

namespace {

template <typename T>
void run(const DenseLayer<T>& layer, T* y, T* product, const T* x, int64_t rows) {
  const KernelsOf<T>& table = kernels().of<T>();
  const T* z = x;
  if (layer.kernel) {
    Matmul<T> s{};
    s.M = rows, s.N = layer.units, s.K = layer.D;
    s.out = product, s.a = x, s.b = layer.kernel, s.bias = layer.bias;
    table.matmul(s);
    z = product;
  }
  if (layer.softmax) {
    table.softmax(y, z, rows, layer.units, false);
  } else if (layer.function != Function::linear || z != y) {
    table.map(layer.function, y, z, rows * layer.units);
  }
}

}  // namespace

template <typename T>
void DenseLayer<T>::infer(T* to, Given<T> given, int64_t N, int64_t x_size, T*, States<T>) const {
  run(*this, to, to, given.x, N * (x_size / D));
}

template <typename T>
void DenseLayer<T>::lay_out(Layout<T>& layout, int64_t N, int64_t x_size) {
  rows = N * (x_size / D);
  y = layout.take(rows * units);
  product = kernel && !softmax && !has_gradient_by_output(function) ? layout.take(rows * units) : y;
}

template <typename T>
void DenseLayer<T>::forward(T* buffer, Given<T> given) const {
  run(*this, buffer + y, buffer + product, given.x, rows);
}

template <typename T>
void DenseLayer<T>::list_gradients(std::vector<Piece<T>>& pieces) const {
  if (dkernel) pieces.push_back({dkernel, D * units});
  if (dbias) pieces.push_back({dbias, units});
}

template <typename T>
void DenseLayer<T>::backward(T* buffer, T* scratch, Given<T> given, T* dy, T* dx, bool fresh) const {
  const KernelsOf<T>& table = kernels().of<T>();
  if (softmax) {
    table.softmax_gradient(dy, dy, buffer + y, rows, units, false);
  } else if (function != Function::linear) {
    table.map_gradient(function, dy, dy, kernel ? buffer + product : given.x, buffer + y, rows * units);
  }
  if (!kernel) {
    if (dx) copy(dx, dy, rows * units);
    return;
  }
  if (dkernel) {
    Matmul<T> s{};
    s.M = D, s.N = units, s.K = rows;
    s.transpose_a = true, s.accumulate = !fresh;
    s.out = dkernel, s.a = given.x, s.b = dy;
    table.matmul(s);
  }
  if (dbias) add_column_sums(dbias, dy, rows, units, scratch, fresh);
  if (dx) {
    Matmul<T> t{};
    t.M = rows, t.N = D, t.K = units;
    t.transpose_b = true;
    t.out = dx, t.a = dy, t.b = kernel;
    table.matmul(t);
  }
}

template struct DenseLayer<float>;
template struct DenseLayer<double>;

}  // namespace recurra
