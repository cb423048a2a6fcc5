/* Where spaces, latency tables and reference networks lie. */
#ifndef SPN_IO_DATAPATH_H
#define SPN_IO_DATAPATH_H

#include <stddef.h>

#include "core/status.h"

/* Path of a data file. kind is a folder of the data folder: "spaces", "latency", "networks". A name with a slash or
 * ending in ".json" is a path already and is copied as it is. Any other name stands for <data>/<kind>/<name>.json,
 * looked for in $SPNAS_DATA, then beside the executable (../data in a build tree, ../share/spnas when installed), then
 * ./data. SPN_EINPUT when it is nowhere; the message lists the names there are. */
spn_status spn_data_path(const char *kind, const char *name, char *out, size_t size, spn_err *err);

#endif
