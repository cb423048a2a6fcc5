/* Texts that exporters write as they are, made from the files in templates/ when the program is built. Internal to
 * src/export. */
#ifndef SPN_EXPORT_TEMPLATES_H
#define SPN_EXPORT_TEMPLATES_H

extern const char spn_template_load_timm[]; /* templates/load_timm.py */
extern const char spn_template_network[];   /* templates/network.c.in */

#endif
