#define _GNU_SOURCE
#include "cli/serve.h"

#ifdef SPN_HTTP
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/phase.h"
#include "report/report.h"
#include "train/resume.h"

enum { PATH = 4096, TOKEN_BYTES = 16, TOKEN = 2 * TOKEN_BYTES, CONNECTIONS = 16, IDLE_SECONDS = 30, NICE = 10 };
/* Data are made anew at most so often, and so that making them takes at most so much of a core's time. */
static const double FRESH_SECONDS = 1, SHARE = 0.05;
/* A page asks every 2 s (live.js): who has not asked for so long is gone; so long the end waits for who is there. */
static const double GONE_SECONDS = 5, LAST_SECONDS = 3;

struct spn_server {
  struct MHD_Daemon *daemon;
  int listener;
  char folder[PATH], token[TOKEN + 1];
  /* Of the server's thread: */
  int humble; /* its priority is low */
  char *data; /* the newest that could be made, or NULL */
  size_t size;
  uint64_t stamp; /* of the folder when they were made */
  double due;     /* when they may be made anew */
  /* Shared: */
  _Atomic double asked;    /* when data were last asked for */
  atomic_int ending, last; /* the run has ended; someone has got its last state */
};

/* ---- Answers ---- */

static const char WAITING[] =
    "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"1\">"
    "<title>spnas</title><p>The run has not begun yet.</p></html>";

/* data: the answer's to free. */
static enum MHD_Result answer(struct MHD_Connection *c, unsigned code, const char *kind, char *data, size_t size,
                              const char *const *headers) {
  static const char *const always[] = {"Cache-Control",
                                       "no-store",
                                       "Content-Security-Policy",
                                       "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
                                       "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                                       "frame-ancestors 'none'",
                                       "Cross-Origin-Resource-Policy",
                                       "same-origin",
                                       "Referrer-Policy",
                                       "no-referrer",
                                       "X-Content-Type-Options",
                                       "nosniff",
                                       NULL};
  struct MHD_Response *r = MHD_create_response_from_buffer(size, data, MHD_RESPMEM_MUST_FREE);
  if (!r) {
    free(data);
    return MHD_NO;
  }
  for (int i = 0; always[i]; i += 2) MHD_add_response_header(r, always[i], always[i + 1]);
  if (kind) MHD_add_response_header(r, "Content-Type", kind);
  for (int i = 0; headers && headers[i]; i += 2) MHD_add_response_header(r, headers[i], headers[i + 1]);
  enum MHD_Result result = MHD_queue_response(c, code, r);
  MHD_destroy_response(r);
  return result;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned code, const char *why, const char *const *headers) {
  char *text = strdup(why);
  return text ? answer(c, code, "text/plain; charset=utf-8", text, strlen(text), headers) : MHD_NO;
}

/* ---- Data ---- */

/* Changes with every file of the folder. */
static uint64_t stamp_of(const char *folder) {
  uint64_t sum = 0;
  DIR *dir = opendir(folder);
  struct stat at;
  for (struct dirent *e; dir && (e = readdir(dir));) {
    if (fstatat(dirfd(dir), e->d_name, &at, 0) || !S_ISREG(at.st_mode)) continue;
    const uint64_t part[] = {(uint64_t)at.st_ino, (uint64_t)at.st_size, (uint64_t)at.st_mtim.tv_sec,
                             (uint64_t)at.st_mtim.tv_nsec};
    uint64_t mixed = 0;
    for (int i = 0; i < 4; i++) mixed = (mixed ^ part[i]) * 0x9e3779b97f4a7c15u, mixed ^= mixed >> 29;
    sum += mixed; /* in whatever order they are listed */
  }
  if (dir) closedir(dir);
  return sum;
}

/* Of the thread that asks. */
static double processor_seconds(void) {
  struct timespec t = {0};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What a run ends with is shown at once. */
static void refresh(spn_server *s) {
  if (spn_seconds() < s->due && !atomic_load(&s->ending)) return;
  double start = processor_seconds();
  uint64_t stamp = stamp_of(s->folder);
  char *data;
  size_t size;
  if (s->data && stamp == s->stamp) return;
  if (spn_report_data(s->folder, &data, &size, NULL)) return; /* not begun, or no memory: the old ones stay */
  free(s->data);
  s->data = data;
  s->size = size;
  s->stamp = stamp;
  double rest = (processor_seconds() - start) / SHARE;
  s->due = spn_seconds() + (rest > FRESH_SECONDS ? rest : FRESH_SECONDS);
}

static enum MHD_Result give_page(spn_server *s, struct MHD_Connection *c) {
  char *page;
  size_t size;
  refresh(s);
  if (!s->data) {
    page = strdup(WAITING);
    return page ? answer(c, MHD_HTTP_OK, "text/html; charset=utf-8", page, strlen(page), NULL) : MHD_NO;
  }
  if (spn_report_page(s->data, s->size, 1, &page, &size, NULL)) return MHD_NO;
  return answer(c, MHD_HTTP_OK, "text/html; charset=utf-8", page, size, NULL);
}

static enum MHD_Result give_data(spn_server *s, struct MHD_Connection *c) {
  char tag[24], *copy;
  int ending = atomic_load(&s->ending);
  atomic_store(&s->asked, spn_seconds());
  refresh(s);
  if (!s->data) return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "the run has not begun yet\n", NULL);
  snprintf(tag, sizeof tag, "\"%016llx\"", (unsigned long long)s->stamp);
  const char *const headers[] = {"ETag", tag, "Spnas-Run", spn_run_busy(s->folder) ? "running" : "idle", NULL};
  const char *known = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-None-Match");
  int same = known && !strcmp(known, tag);
  size_t size = same ? 0 : s->size;
  if (!(copy = malloc(size + 1))) return MHD_NO;
  memcpy(copy, s->data, size);
  enum MHD_Result result = answer(c, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, same ? NULL : "application/json", copy,
                                  size, headers);
  if (ending) atomic_store(&s->last, 1);
  return result;
}

/* ---- Questions ---- */

/* A page of another site can have its own name lead here (DNS rebinding), but not an address or "localhost". The port
 * is free: it may be forwarded. */
static int is_own_host(const char *host) {
  char name[64];
  struct in_addr v4;
  struct in6_addr v6;
  if (!host || strlen(host) >= sizeof name) return 0;
  snprintf(name, sizeof name, "%s", host);
  if (name[0] == '[') {
    char *end = strchr(name, ']');
    if (!end) return 0;
    *end = 0;
    return inet_pton(AF_INET6, name + 1, &v6) == 1;
  }
  char *port = strchr(name, ':');
  if (port) *port = 0;
  return !strcmp(name, "localhost") || inet_pton(AF_INET, name, &v4) == 1;
}

/* Whether the path begins with the token; in the same time for every path that is long enough. */
static int has_token(const spn_server *s, const char *url) {
  unsigned char differs = 0;
  if (strlen(url) < 1 + TOKEN || url[0] != '/') return 0;
  for (int i = 0; i < TOKEN; i++) differs |= (unsigned char)(url[1 + i] ^ s->token[i]);
  return !differs;
}

static enum MHD_Result on_request(void *owner, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *body, size_t *body_size, void **state) {
  static const char *const allowed[] = {"Allow", "GET, HEAD", NULL};
  spn_server *s = owner;
#ifdef __linux__
  if (!s->humble) s->humble = 1 + setpriority(PRIO_PROCESS, 0, NICE); /* there, of the thread that calls */
#endif
  if (!is_own_host(MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host")))
    return refuse(c, MHD_HTTP_FORBIDDEN, "expected an address or localhost as the host\n", NULL);
  if (!has_token(s, url)) return refuse(c, MHD_HTTP_FORBIDDEN, "expected the whole address that spnas printed\n", NULL);
  if (strcmp(method, "GET") && strcmp(method, "HEAD"))
    return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "expected GET or HEAD\n", allowed);
  const char *rest = url + 1 + TOKEN;
  if (!*rest || !strcmp(rest, "/")) return give_page(s, c);
  if (!strcmp(rest, "/data")) return give_data(s, c);
  return refuse(c, MHD_HTTP_NOT_FOUND, "nothing of that name\n", NULL);
}

/* ---- Beginning and end ---- */

static spn_status read_place(const char *where, struct sockaddr_in *at, spn_err *err) {
  char address[32] = "127.0.0.1", *end;
  const char *colon = strrchr(where, ':'), *port = colon ? colon + 1 : where;
  *at = (struct sockaddr_in){.sin_family = AF_INET};
  if (colon) snprintf(address, sizeof address, "%.*s", (int)(colon - where), where);
  unsigned long number = strtoul(port, &end, 10);
  if (*end || end - port > 5 || number > 65535 || (colon && !*port) || inet_pton(AF_INET, address, &at->sin_addr) != 1)
    return spn_fail(err, SPN_EINPUT, "--serve: expected a port up to 65535 or ADDRESS:PORT, got \"%.60s\"", where);
  at->sin_port = htons((uint16_t)number);
  return SPN_OK;
}

static spn_status start_listening(spn_server *s, struct sockaddr_in *at, spn_err *err) {
  char address[INET_ADDRSTRLEN] = "";
  const int yes = 1;
  socklen_t size = sizeof *at;
  s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s->listener >= 0) setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (s->listener < 0 || bind(s->listener, (struct sockaddr *)at, sizeof *at) || listen(s->listener, CONNECTIONS) ||
      getsockname(s->listener, (struct sockaddr *)at, &size)) {
    int why = errno;
    inet_ntop(AF_INET, &at->sin_addr, address, sizeof address);
    return spn_fail(err, SPN_EIO, "--serve: cannot listen at %s:%d: %s", address, ntohs(at->sin_port), strerror(why));
  }
  return SPN_OK;
}

static spn_status draw_token(spn_server *s, spn_err *err) {
  unsigned char bytes[TOKEN_BYTES];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
    return spn_fail(err, SPN_EIO, "--serve: the system gives no random numbers: %s", strerror(errno));
  for (int i = 0; i < TOKEN_BYTES; i++) snprintf(s->token + 2 * i, 3, "%02x", bytes[i]);
  return SPN_OK;
}

/* Signals are the main thread's, so that they end what it waits for. */
static spn_status start_thread(spn_server *s, spn_err *err) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  s->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, on_request, s,
                               MHD_OPTION_LISTEN_SOCKET, s->listener, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
                               MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (!s->daemon) return spn_fail(err, SPN_EIO, "--serve: the server cannot be started");
  s->listener = -1; /* the daemon's */
  return SPN_OK;
}

static void free_server(spn_server *s) {
  if (s->daemon) MHD_stop_daemon(s->daemon);
  if (s->listener >= 0) close(s->listener);
  free(s->data);
  free(s);
}

spn_status spn_serve_open(const char *folder, const char *where, spn_server **out, spn_err *err) {
  struct sockaddr_in at;
  char address[INET_ADDRSTRLEN] = "";
  SPN_TRY(read_place(where, &at, err));
  spn_server *s = calloc(1, sizeof *s);
  if (!s) return spn_fail(err, SPN_ENOMEM, "--serve: out of memory");
  s->listener = -1;
  spn_status status = SPN_OK;
  if ((size_t)snprintf(s->folder, sizeof s->folder, "%s", folder) >= sizeof s->folder)
    status = spn_fail(err, SPN_EINPUT, "%s: the path is too long", folder);
  if (!status) status = start_listening(s, &at, err);
  if (!status) status = draw_token(s, err);
  if (!status) status = start_thread(s, err);
  if (status) {
    free_server(s);
    return status;
  }
  inet_ntop(AF_INET, &at.sin_addr, address, sizeof address);
  fprintf(stderr, "live view   http://%s:%d/%s\n", address, ntohs(at.sin_port), s->token);
  *out = s;
  return SPN_OK;
}

void spn_serve_close(spn_server *s) {
  const struct timespec moment = {.tv_nsec = 20000000};
  if (!s) return;
  double end = spn_seconds();
  atomic_store(&s->ending, 1);
  int watched = atomic_load(&s->asked) > 0 && end - atomic_load(&s->asked) < GONE_SECONDS;
  while (watched && !atomic_load(&s->last) && !spn_stop_requested() && spn_seconds() - end < LAST_SECONDS)
    nanosleep(&moment, NULL);
  free_server(s);
}

#else
#include <stddef.h>

spn_status spn_serve_open(const char *folder, const char *where, spn_server **out, spn_err *err) {
  return spn_fail(err, SPN_EINPUT,
                  "--serve: this spnas was built without libmicrohttpd (Debian and Ubuntu: apt-get install "
                  "libmicrohttpd-dev, and build again); spnas report writes the page of a run under way, too");
}

void spn_serve_close(spn_server *s) {}
#endif
