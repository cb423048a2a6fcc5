#include "dnnl/shim.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static pthread_once_t engine_once = PTHREAD_ONCE_INIT, names_once = PTHREAD_ONCE_INIT;
static dnnl_engine_t engine;
static dnnl_cpu_isa_t cap; /* 0: none; the name of that has changed between releases */
static char version[64], cpu_name[80];

#if defined(__x86_64__)
/* Some virtual machines pass the AMX-TILE bit (leaf 7, EDX bit 24) but hide the tile palette (leaf 1Dh). */
static int amx_is_hollow(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 24 & 1)) return 0;
  return !__get_cpuid_count(0x1d, 0, &a, &b, &c, &d) || a == 0;
}

static void read_cpu_name(void) {
  unsigned brand[12];
  for (unsigned i = 0; i < 3; i++)
    if (!__get_cpuid(0x80000002 + i, &brand[4 * i], &brand[4 * i + 1], &brand[4 * i + 2], &brand[4 * i + 3])) return;
  char text[sizeof brand + 1] = {0};
  memcpy(text, brand, sizeof brand);
  const char *start = text + strspn(text, " ");
  size_t length = strlen(start);
  while (length && start[length - 1] == ' ') length--;
  snprintf(cpu_name, sizeof cpu_name, "%.*s", (int)length, start);
}
#else
static int amx_is_hollow(void) { return 0; }
static void read_cpu_name(void) {}
#endif

static const char *runtime_name(unsigned runtime) {
  switch (runtime) {
    case DNNL_RUNTIME_SEQ: return "sequential";
    case DNNL_RUNTIME_OMP: return "OpenMP";
    case DNNL_RUNTIME_TBB: return "TBB";
    case DNNL_RUNTIME_THREADPOOL: return "threadpool";
    default: return "unknown runtime";
  }
}

/* Whether the environment names instructions without AMX for oneDNN. */
static int capped_by_user(void) {
  const char *name = getenv("ONEDNN_MAX_CPU_ISA");
  if (!name) name = getenv("DNNL_MAX_CPU_ISA");
  return name && (strstr(name, "AVX") || strstr(name, "SSE")) && !strstr(name, "AMX");
}

/* oneDNN takes a cap once and before its first use, and it overrides the one in the environment. */
static void init_engine(void) {
  if (!cap && !capped_by_user() && amx_is_hollow()) cap = dnnl_cpu_isa_avx512_core_bf16;
  if (cap) dnnl_set_max_cpu_isa(cap);
  if (dnnl_engine_create(&engine, dnnl_cpu, 0)) engine = NULL;
}

static void init_names(void) {
  const dnnl_version_t *v = dnnl_version();
  snprintf(version, sizeof version, "oneDNN %d.%d.%d (%s)", v->major, v->minor, v->patch, runtime_name(v->cpu_runtime));
  read_cpu_name();
  struct utsname system;
  if (!cpu_name[0] && !uname(&system)) snprintf(cpu_name, sizeof cpu_name, "%.64s", system.machine);
}

void spn_backend_cap(const char *isa) {
  if (!strcmp(isa, "plain")) cap = dnnl_cpu_isa_sse41;
  if (!strcmp(isa, "avx2")) cap = dnnl_cpu_isa_avx2;
}

void spn_backend_init(void) { pthread_once(&engine_once, init_engine); }

dnnl_engine_t spn_dnnl_engine(void) {
  spn_backend_init();
  return engine;
}

int spn_dnnl_is_openmp(void) {
  unsigned runtime = dnnl_version()->cpu_runtime;
  return runtime == DNNL_RUNTIME_OMP || runtime == DNNL_RUNTIME_SEQ;
}

const char *spn_backend_version(void) {
  pthread_once(&names_once, init_names);
  return version;
}

const char *spn_cpu_name(void) {
  pthread_once(&names_once, init_names);
  return cpu_name;
}
