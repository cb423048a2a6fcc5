/* Texts that go into every kit, made from the files in templates/ when the program is built. Internal to src/kit. */
#ifndef SPN_KIT_TEMPLATES_H
#define SPN_KIT_TEMPLATES_H

extern const char spn_template_kit_run[];    /* templates/kit_run.sh */
extern const char spn_template_kit_readme[]; /* templates/kit_readme.md */

#endif
