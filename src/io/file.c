#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/phase.h"

struct spn_file {
  int fd;
  char *path, *temporary;
};

enum { PIECE = 1 << 20, MAX_WRITE = 1 << 30, LOOK_MS = 100 };

static spn_status fail_errno(spn_err *err, const char *path, const char *what) {
  return spn_fail(err, SPN_EIO, "%s: cannot %s: %s", path, what, strerror(errno));
}

/* ---- Reading ---- */

/* A name that leads nowhere is wrong input; everything else that keeps a file shut is the system's. */
static spn_status cannot_open(spn_err *err, const char *path) {
  spn_status status = errno == ENOENT || errno == ENOTDIR ? SPN_EINPUT : SPN_EIO;
  return spn_fail(err, status, "%s: cannot open: %s", path, strerror(errno));
}

/* Waits for data in what is no regular file, and looks from time to time whether a stop was asked for: a signal that
 * comes before the wait would not end it. */
static spn_status wait_for_data(int fd, const char *path, spn_err *err) {
  struct pollfd wanted = {.fd = fd, .events = POLLIN};
  for (;;) {
    if (spn_stop_requested()) return spn_fail(err, SPN_ESTOPPED, "%s: stopped while waiting for data", path);
    int ready = poll(&wanted, 1, LOOK_MS);
    if (ready > 0) return SPN_OK;
    if (ready < 0 && errno != EINTR) return fail_errno(err, path, "read");
  }
}

/* Reads what is there, at least a byte; 0 at the end. */
static spn_status read_some(int fd, const char *path, int waits, char *out, size_t room, size_t *got, spn_err *err) {
  for (;;) {
    if (waits) SPN_TRY(wait_for_data(fd, path, err));
    ssize_t n = read(fd, out, room < MAX_WRITE ? room : MAX_WRITE);
    if (n < 0 && (errno == EINTR || (waits && errno == EAGAIN))) continue;
    if (n < 0) return fail_errno(err, path, "read");
    *got = (size_t)n;
    return SPN_OK;
  }
}

/* Reads until the end or limit + 1 bytes, growing the block: sizes that stat tells may be wrong (/proc), and pipes have
 * none. */
static spn_status read_all(int fd, const char *path, const struct stat *info, size_t limit, char **data, size_t *size,
                           spn_err *err) {
  int regular = S_ISREG(info->st_mode);
  size_t expected = regular ? (size_t)info->st_size : 0, room = expected < limit ? expected + 1 : PIECE, n = 0, got = 1;
  char *block = malloc(room + 1);
  spn_status status = block ? SPN_OK : spn_fail(err, SPN_ENOMEM, "%s: out of memory (%zu bytes)", path, room);
  while (!status && got) {
    if (n == room) {
      size_t wider = room < PIECE ? PIECE : room + room / 2;
      char *grown = wider > room ? realloc(block, wider + 1) : NULL;
      if (!grown) {
        status = spn_fail(err, SPN_ENOMEM, "%s: out of memory (%zu bytes)", path, wider);
        break;
      }
      block = grown;
      room = wider;
    }
    status = read_some(fd, path, !regular, block + n, room - n, &got, err);
    if (!status) n += got;
    if (!status && n > limit)
      status = spn_fail(err, SPN_EINPUT, "%s: expected at most %zu bytes, got more", path, limit);
  }
  if (status) {
    free(block);
    return status;
  }
  block[n] = 0;
  *data = block;
  *size = n;
  return SPN_OK;
}

spn_status spn_file_read(const char *path, size_t limit, char **data, size_t *size, spn_err *err) {
  struct stat info;
  int fd;
  *data = NULL;
  *size = 0;
  do fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe that nobody writes to opens too: it is waited for */
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return cannot_open(err, path);
  spn_status status;
  if (fstat(fd, &info)) status = fail_errno(err, path, "read");
  else if (S_ISREG(info.st_mode) && (unsigned long long)info.st_size > limit)
    status = spn_fail(err, SPN_EINPUT, "%s: expected at most %zu bytes, got %lld", path, limit,
                      (long long)info.st_size);
  else status = read_all(fd, path, &info, limit, data, size, err);
  close(fd);
  return status;
}

/* ---- Writing ---- */

static void release(spn_file *f) {
  if (f->fd >= 0) close(f->fd);
  free(f->path);
  free(f->temporary);
  free(f);
}

void spn_file_abort(spn_file *f) {
  if (!f) return;
  if (f->fd >= 0) unlink(f->temporary);
  release(f);
}

/* A leftover of a killed process with our number is removed; O_EXCL keeps us from following a link put there. */
static int open_temporary(const char *path) {
  for (int attempt = 0;; attempt++) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) return fd;
    if (errno == EINTR) continue;
    if (errno != EEXIST || attempt || unlink(path)) return -1;
  }
}

spn_status spn_file_create(const char *path, spn_file **out, spn_err *err) {
  struct stat info;
  *out = NULL;
  /* A rename onto a device or a pipe would replace it. */
  if (!stat(path, &info) && !S_ISREG(info.st_mode))
    return spn_fail(err, SPN_EIO, "%s: cannot write: it is %s", path,
                    S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
  spn_file *f = calloc(1, sizeof *f);
  size_t room = strlen(path) + 32;
  if (f) {
    *f = (spn_file){.fd = -1, .path = strdup(path), .temporary = malloc(room)};
  }
  if (!f || !f->path || !f->temporary) {
    if (f) release(f);
    return spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
  }
  snprintf(f->temporary, room, "%s.tmp-%ld", path, (long)getpid());
  f->fd = open_temporary(f->temporary);
  if (f->fd < 0) {
    spn_status status = fail_errno(err, path, "write");
    release(f);
    return status;
  }
  *out = f;
  return SPN_OK;
}

spn_status spn_file_append(spn_file *f, const void *data, size_t size, spn_err *err) {
  const char *p = data;
  while (size) {
    ssize_t done = write(f->fd, p, size < MAX_WRITE ? size : MAX_WRITE);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_errno(err, f->path, "write");
    p += done;
    size -= (size_t)done;
  }
  return SPN_OK;
}

static int sync_fd(int fd) {
  int result;
  do result = fsync(fd);
  while (result && errno == EINTR);
  return result && errno != EINVAL && errno != ENOTSUP ? -1 : 0; /* some file systems cannot sync: not our failure */
}

/* The name is durable only when the folder is synced. A folder we may write but not read cannot be opened: accepted.
 * path is cut at its last slash for a moment, so that nothing need be allocated after the rename. */
static int sync_folder_of(char *path) {
  char *slash = strrchr(path, '/'), *cut = slash == path ? slash + 1 : slash, kept = cut ? *cut : 0;
  if (cut) *cut = 0;
  int fd = open(cut ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (cut) *cut = kept;
  if (fd < 0) return errno == EACCES ? 0 : -1;
  int result = sync_fd(fd), reason = errno;
  close(fd);
  errno = reason;
  return result;
}

spn_status spn_file_commit(spn_file *f, spn_err *err) {
  spn_status status = SPN_OK;
  int closed = 0;
  if (sync_fd(f->fd)) {
    status = fail_errno(err, f->path, "sync");
  } else {
    closed = 1;
    if (close(f->fd) && errno != EINTR) status = fail_errno(err, f->path, "close");
  }
  if (closed) f->fd = -1;
  if (!status && rename(f->temporary, f->path)) status = fail_errno(err, f->path, "rename the temporary file");
  if (status) unlink(f->temporary);
  else if (sync_folder_of(f->path)) status = fail_errno(err, f->path, "sync the folder");
  release(f);
  return status;
}

spn_status spn_file_write(const char *path, const void *data, size_t size, spn_err *err) {
  spn_file *f;
  SPN_TRY(spn_file_create(path, &f, err));
  spn_status status = spn_file_append(f, data, size, err);
  if (status) {
    spn_file_abort(f);
    return status;
  }
  return spn_file_commit(f, err);
}

/* ---- Folders ---- */

static spn_status make_one(const char *path, spn_err *err) {
  struct stat info;
  if (!mkdir(path, 0777)) return SPN_OK;
  int reason = errno;
  if (!stat(path, &info)) {
    if (S_ISDIR(info.st_mode)) return SPN_OK;
    reason = ENOTDIR;
  }
  errno = reason;
  return fail_errno(err, path, "create the folder");
}

spn_status spn_folder_create(const char *path, spn_err *err) {
  char *part = strdup(path);
  if (!part) return spn_fail(err, SPN_ENOMEM, "%s: out of memory", path);
  if (!*part) {
    free(part);
    return spn_fail(err, SPN_EINPUT, "expected the name of a folder, got an empty one");
  }
  spn_status status = SPN_OK;
  for (char *p = part + 1; *p && !status; p++) {
    if (*p != '/' || p[-1] == '/') continue;
    *p = 0;
    status = make_one(part, err);
    *p = '/';
  }
  if (!status) status = make_one(part, err);
  free(part);
  return status;
}

/* Appends path's parts to out, which ends without a slash. */
static int append_parts(const char *path, char *out, size_t size) {
  size_t n = strlen(out);
  while (*path) {
    size_t part = strcspn(path, "/");
    if (part && !(part == 1 && *path == '.')) {
      if (n + part + 2 > size) return 0;
      out[n++] = '/';
      memcpy(out + n, path, part);
      out[n += part] = 0;
    }
    path += part + (path[part] == '/');
  }
  return 1;
}

spn_status spn_path_absolute(const char *path, char *out, size_t size) {
  char start[4096] = "";
  if (*path != '/' && !getcwd(start, sizeof start)) return SPN_EIO;
  *out = 0;
  if (!append_parts(start, out, size) || !append_parts(path, out, size)) return SPN_EINPUT;
  if (!*out) strcpy(out, "/");
  return SPN_OK;
}
