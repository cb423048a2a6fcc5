/* A C file of our kind as a list of nodes again. */
#ifndef SPN_EXPORT_C_READ_H
#define SPN_EXPORT_C_READ_H

#include "export/lower.h"

/* SPN_EINPUT for what is not as spnas writes it. From memory (zero-terminated); name stands for it in messages. */
spn_status spn_c_parse(const char *name, const char *text, spn_lowered **out, spn_err *err);
spn_status spn_c_read(const char *path, spn_lowered **out, spn_err *err);

#endif
