/* The page around the data: page/report.html with its @PARTS@ filled in. */
#include <string.h>

#include "io/file.h"
#include "report/pieces.h"

static spn_status put(spn_file *f, const char *text, spn_err *err) {
  return spn_file_append(f, text, strlen(text), err);
}

/* JSON inside of HTML: a "<" stands within a string only, where \u003c is the same, and no name or path can end the
 * element it lies in. */
static spn_status put_data(spn_file *f, const char *data, size_t size, spn_err *err) {
  const char *end = data + size, *from = data;
  for (const char *at = data; (at = memchr(at, '<', (size_t)(end - at))); from = ++at) {
    SPN_TRY(spn_file_append(f, from, (size_t)(at - from), err));
    SPN_TRY(put(f, "\\u003c", err));
  }
  return spn_file_append(f, from, (size_t)(end - from), err);
}

static spn_status put_page(spn_file *f, const char *data, size_t size, spn_err *err) {
  static const struct {
    const char *mark, *text; /* text NULL: the data */
  } part[] = {
      {"@STYLE@", spn_text_style}, {"@DATA@", NULL}, {"@LIBRARY@", spn_text_library}, {"@SCRIPT@", spn_text_script}};
  const char *from = spn_text_page;
  for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
    const char *mark = strstr(from, part[i].mark);
    if (!mark) return spn_fail(err, SPN_EINPUT, "report: the page has no %s", part[i].mark);
    SPN_TRY(spn_file_append(f, from, (size_t)(mark - from), err));
    SPN_TRY(part[i].text ? put(f, part[i].text, err) : put_data(f, data, size, err));
    from = mark + strlen(part[i].mark);
  }
  return put(f, from, err);
}

spn_status spn_report_page(const char *data, size_t size, const char *out, spn_err *err) {
  spn_file *f;
  SPN_TRY(spn_file_create(out, &f, err));
  spn_status status = put_page(f, data, size, err);
  if (!status) return spn_file_commit(f, err);
  spn_file_abort(f);
  return status;
}
