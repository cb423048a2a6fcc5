/* One instruction set's kernels, with the types and contracts of kernels.h. */
#ifndef SPN_KERNELS_CPU_TABLE_H
#define SPN_KERNELS_CPU_TABLE_H

#include "cpu/simd.h"

#define SPN_KERNEL(name) SPN_KERNEL_TYPE(name) SPN_SYM(name);
#include "kernels.def"
#undef SPN_KERNEL

#endif
