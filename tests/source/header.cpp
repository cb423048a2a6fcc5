// The public header as C++, and with C's linkage. Compiled, not run.
extern "C" const char *spnas_version(void);
#include "spnas.h"
