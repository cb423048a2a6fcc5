#include "core/version.h"

#ifndef SPN_VERSION /* the build gives both */
#error "SPN_VERSION and SPN_GIT_HASH are defined by the build"
#endif

const char *spn_version(void) { return SPN_VERSION " (" SPN_GIT_HASH ")"; }
