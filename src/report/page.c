/* The page around the data: page/report.html with its @PARTS@ filled in. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/pieces.h"
#include "report/report.h"

/* JSON inside of HTML: a "<" stands within a string only, where \u003c is the same, and no name or path can end the
 * element it lies in. */
static void put_data(FILE *f, const char *data, size_t size) {
  const char *end = data + size, *from = data;
  for (const char *at = data; (at = memchr(at, '<', (size_t)(end - at))); from = ++at) {
    fwrite(from, 1, (size_t)(at - from), f);
    fputs("\\u003c", f);
  }
  fwrite(from, 1, (size_t)(end - from), f);
}

static spn_status put_page(FILE *f, const char *data, size_t size, int live, spn_err *err) {
  static const struct {
    const char *mark, *text; /* text NULL: the data */
  } part[] = {{"@STYLE@", spn_text_style},
              {"@DATA@", NULL},
              {"@GLOSSARY@", spn_text_glossary},
              {"@LIBRARY@", spn_text_library},
              {"@SCRIPT@", spn_text_script}};
  const char *from = spn_text_page;
  for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
    const char *mark = strstr(from, part[i].mark);
    if (!mark) return spn_fail(err, SPN_EINPUT, "report: the page has no %s", part[i].mark);
    fwrite(from, 1, (size_t)(mark - from), f);
    if (part[i].text) fputs(part[i].text, f);
    else put_data(f, data, size);
    from = mark + strlen(part[i].mark);
  }
  if (live) fputs(spn_text_live, f);
  fputs(from, f);
  return SPN_OK;
}

spn_status spn_report_page(const char *data, size_t data_size, int live, char **page, size_t *size, spn_err *err) {
  *page = NULL;
  FILE *f = open_memstream(page, size);
  if (!f) return spn_fail(err, SPN_ENOMEM, "report: out of memory");
  spn_status status = put_page(f, data, data_size, live, err);
  int failed = ferror(f);
  if ((fclose(f) || failed) && !status) status = spn_fail(err, SPN_ENOMEM, "report: out of memory");
  if (!status) return SPN_OK;
  free(*page);
  *page = NULL;
  return status;
}
