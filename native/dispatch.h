// Which kernels this process runs: the first supported target in order of preference, or the one that RECURRA_TARGET
// names.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace recurra {

// Chosen at the first call, once. Throws std::invalid_argument where RECURRA_TARGET is unknown or unsupported.
const Kernels& kernels();

// Names of the targets that this build has and this CPU can run, the preferred one first.
std::vector<std::string> supported_targets();

}  // namespace recurra
