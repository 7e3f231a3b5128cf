// An optimizer's formula, whichever it is.
#pragma once

#include <variant>

#include "dispatch.h"

namespace recurra {

template <typename T>
using Formula = std::variant<Adam<T>, RMSprop<T>, SGD<T>>;

// What the formula shares with all others.
template <typename T>
Update<T>& shared(Formula<T>& formula) {
  return std::visit([](auto& s) -> Update<T>& { return s; }, formula);
}

// Its averages of squared gradients, or null.
template <typename T>
T* squares_of(const Formula<T>& formula) {
  if (const auto* s = std::get_if<Adam<T>>(&formula)) return s->v;
  if (const auto* s = std::get_if<RMSprop<T>>(&formula)) return s->v;
  return nullptr;
}

template <typename T>
void update(const Formula<T>& formula) {
  const KernelsOf<T>& table = kernels().of<T>();
  if (const auto* s = std::get_if<Adam<T>>(&formula)) table.adam(*s);
  if (const auto* s = std::get_if<RMSprop<T>>(&formula)) table.rmsprop(*s);
  if (const auto* s = std::get_if<SGD<T>>(&formula)) table.sgd(*s);
}

}  // namespace recurra
