// Several vectors that go through the same operations side by side. One activation is a chain of some 25 dependent
// instructions of 4 cycles each: a CPU looks far enough ahead to overlap three or four of them, and it takes eight to
// keep it busy. Written in lockstep there is always one that is ready.
#pragma once

#include "simd.h"

namespace recurra::RECURRA_NAMESPACE {

// Two of a kind, with the operations of Vec; Two<Two<V>> makes four.
template <typename V>
struct Two {
  struct Mask {
    typename V::Mask a, b;
  };
  V a, b;

  template <typename S>
  static RECURRA_INLINE Two set(S value) {
    return {V::set(value), V::set(value)};
  }
  template <int S>
  RECURRA_INLINE Two shift_left() const {
    return {a.template shift_left<S>(), b.template shift_left<S>()};
  }

  friend RECURRA_INLINE Two operator+(Two x, Two y) { return {x.a + y.a, x.b + y.b}; }
  friend RECURRA_INLINE Two operator-(Two x, Two y) { return {x.a - y.a, x.b - y.b}; }
  friend RECURRA_INLINE Two operator*(Two x, Two y) { return {x.a * y.a, x.b * y.b}; }
  friend RECURRA_INLINE Two operator/(Two x, Two y) { return {x.a / y.a, x.b / y.b}; }
  friend RECURRA_INLINE Two fma(Two x, Two y, Two z) { return {fma(x.a, y.a, z.a), fma(x.b, y.b, z.b)}; }
  friend RECURRA_INLINE Two fnma(Two x, Two y, Two z) { return {fnma(x.a, y.a, z.a), fnma(x.b, y.b, z.b)}; }
  friend RECURRA_INLINE Two min(Two x, Two y) { return {min(x.a, y.a), min(x.b, y.b)}; }
  friend RECURRA_INLINE Two max(Two x, Two y) { return {max(x.a, y.a), max(x.b, y.b)}; }
  friend RECURRA_INLINE Two abs(Two x) { return {abs(x.a), abs(x.b)}; }
  friend RECURRA_INLINE Mask less(Two x, Two y) { return {less(x.a, y.a), less(x.b, y.b)}; }
  friend RECURRA_INLINE Two select(Mask m, Two x, Two y) { return {select(m.a, x.a, y.a), select(m.b, x.b, y.b)}; }
  friend RECURRA_INLINE Two bits_and(Two x, Two y) { return {bits_and(x.a, y.a), bits_and(x.b, y.b)}; }
  friend RECURRA_INLINE Two bits_or(Two x, Two y) { return {bits_or(x.a, y.a), bits_or(x.b, y.b)}; }
  friend RECURRA_INLINE Two copy_sign(Two x, Two y) { return {copy_sign(x.a, y.a), copy_sign(x.b, y.b)}; }
};

// How many vectors there are, of what elements, and how they lie in memory: `stride` elements apart, `lanes` of each.
template <typename V>
struct Lockstep;

template <typename T>
struct Lockstep<Vec<T>> {
  using Element = T;
  static constexpr int count = 1;
  static RECURRA_INLINE Vec<T> load(const T* p, int64_t, int64_t lanes) {
    return lanes == Vec<T>::lanes ? Vec<T>::load(p) : Vec<T>::load_part(p, lanes);
  }
  static RECURRA_INLINE void store(Vec<T> v, T* p, int64_t, int64_t lanes) {
    if (lanes == Vec<T>::lanes) {
      v.store(p);
    } else {
      v.store_part(p, lanes);
    }
  }
};

template <typename V>
struct Lockstep<Two<V>> {
  using Half = Lockstep<V>;
  using Element = typename Half::Element;
  static constexpr int count = 2 * Half::count;
  static RECURRA_INLINE Two<V> load(const Element* p, int64_t stride, int64_t lanes) {
    return {Half::load(p, stride, lanes), Half::load(p + Half::count * stride, stride, lanes)};
  }
  static RECURRA_INLINE void store(Two<V> v, Element* p, int64_t stride, int64_t lanes) {
    Half::store(v.a, p, stride, lanes);
    Half::store(v.b, p + Half::count * stride, stride, lanes);
  }
};

template <typename V>
using ElementOf = typename Lockstep<V>::Element;

// Four, also where 16 registers do not hold all that they need: what then waits in L1 costs less than an idle CPU.
template <typename T>
using Many = Two<Two<Vec<T>>>;

template <typename T>
RECURRA_INLINE Vec<T> load_lanes(const T* p, int64_t lanes) {
  return Lockstep<Vec<T>>::load(p, 0, lanes);
}

template <typename T>
RECURRA_INLINE void store_lanes(Vec<T> v, T* p, int64_t lanes) {
  Lockstep<Vec<T>>::store(v, p, 0, lanes);
}

template <typename V, typename T>
RECURRA_INLINE V load_rows(const T* p, int64_t stride, int64_t lanes) {
  return Lockstep<V>::load(p, stride, lanes);
}

template <typename V, typename T>
RECURRA_INLINE void store_rows(V v, T* p, int64_t stride, int64_t lanes) {
  Lockstep<V>::store(v, p, stride, lanes);
}

}  // namespace recurra::RECURRA_NAMESPACE
