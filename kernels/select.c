#include <string.h>

#include "kernels.h"

const spn_kernels *spn_kernels_plain(void);
#if defined(__x86_64__)
const spn_kernels *spn_kernels_avx2(void);
const spn_kernels *spn_kernels_avx512(void);

static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static int has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

/* The tables this CPU runs, slowest first: ref, plain, avx2, avx512. */
const spn_kernels *spn_kernels_at(int i) {
  if (i == 0) return spn_kernels_ref();
  if (i == 1) return spn_kernels_plain();
#if defined(__x86_64__)
  if (i == 2 && has_avx2()) return spn_kernels_avx2();
  if (i == 3 && has_avx512()) return spn_kernels_avx512();
#endif
  return NULL;
}

const spn_kernels *spn_kernels_get(const char *isa) {
  int automatic = !isa || !strcmp(isa, "auto");
  const spn_kernels *table, *found = NULL;
  for (int i = 0; (table = spn_kernels_at(i)); i++)
    if (automatic || !strcmp(table->name, isa)) found = table;
  return found;
}
