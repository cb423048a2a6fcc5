/* The list of settings for --help. */
#include <stdio.h>
#include <string.h>

#include "train/settings.h"

enum { LINE = 100, COLUMN_DEFAULT = 27, COLUMN_HELP = 46 };

int spn_settings_listed(const char *list, const char *name) {
  size_t n = strlen(name);
  for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
    p += strspn(p, " ");
    if (!strncmp(p, name, n) && strchr(", ", p[n])) return 1;
  }
  return !list;
}

/* Words of text from column at on, broken before LINE and continued below COLUMN_HELP. */
static void write_wrapped(FILE *out, const char *text, int at) {
  const char *space = "";
  while (*(text += strspn(text, " "))) {
    int n = (int)strcspn(text, " ");
    if (*space && at + 1 + n > LINE) {
      fprintf(out, "\n%*s", COLUMN_HELP, "");
      at = COLUMN_HELP;
      space = "";
    }
    fprintf(out, "%s%.*s", space, n, text);
    at += n + (*space != 0);
    space = " ";
    text += n;
  }
  fputc('\n', out);
}

static void write_help(FILE *out, const spn_setting_about *e) {
  char line[2048];
  int width = COLUMN_HELP - COLUMN_DEFAULT - 1, used = (int)strlen(e->value);
  snprintf(line, sizeof line, "%s %s", e->help, e->range);
  fprintf(out, "  %-*s %-*s ", COLUMN_DEFAULT - 3, e->path, width, e->value);
  write_wrapped(out, line, COLUMN_HELP + (used > width ? used - width : 0));
}

void spn_settings_help(FILE *out, const char *sections) {
  spn_setting_about e;
  const char *section = "";
  for (int i = 0; spn_settings_at(i, &e); i++) {
    if (!spn_settings_listed(sections, e.section)) continue;
    if (strcmp(e.section, section))
      fprintf(out, "%s:%*s%-*s%s\n", e.section, COLUMN_DEFAULT - (int)strlen(e.section) - 1, "",
              COLUMN_HELP - COLUMN_DEFAULT, "default", "meaning [values, unit]");
    section = e.section;
    write_help(out, &e);
  }
}
