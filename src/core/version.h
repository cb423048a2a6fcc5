/* Which spnas this is. */
#ifndef SPN_CORE_VERSION_H
#define SPN_CORE_VERSION_H

/* Version with the commit it was built from: "0.1.0 (1a2b3c4)". */
const char *spn_version(void);

#endif
