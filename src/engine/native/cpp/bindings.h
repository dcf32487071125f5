/** The functions that JavaScript sees, one per kernel: checked arguments in, nothing out. */
#pragma once
#include "arguments.h"
#include "kernels.h"

namespace tokenfuse {

struct Binding {
  const char* name;
  void (*call)(Arguments&, const Kernels&);
  /** Whether there are lists of arrays among its arguments. */
  bool takesLists = false;
};

/** Products and fused kernels; ends with a null name. */
extern const Binding modelBindings[];
/** Element-wise kernels, sums, and kernels that move numbers; ends with a null name. */
extern const Binding arrayBindings[];
/** A decoding step; ends with a null name. */
extern const Binding decodeBindings[];
/** Kernels over all parameters at once; ends with a null name. */
extern const Binding optimizerBindings[];

}  // namespace tokenfuse
