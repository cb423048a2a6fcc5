/* Status codes and error text shared by every layer. */
#ifndef SPN_CORE_STATUS_H
#define SPN_CORE_STATUS_H

typedef enum {
  SPN_OK = 0,
  SPN_EINPUT = 2,   /* the user's files, settings or arguments are wrong; the program exits with 2 */
  SPN_EIO = 3,      /* the system refused: full disk, unwritable folder, vanished file */
  SPN_ENOMEM = 4,   /* memory is exhausted */
  SPN_ENUMERIC = 5, /* NaN or infinity in a step */
  SPN_EBACKEND = 6, /* oneDNN refused a primitive */
  SPN_ESTOPPED = 7  /* a signal asked the run to stop; everything is saved */
} spn_status;

/* Where an error is told. The text says place, expected and got; it ends without a newline. */
typedef struct {
  spn_status code;
  char text[1024];
} spn_err;

/* Writes code and text into err (which may be NULL) and returns code. */
spn_status spn_fail(spn_err *err, spn_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Returns from the calling function when call fails. */
#define SPN_TRY(call)                            \
  do {                                           \
    spn_status spn_try_status_ = (call);         \
    if (spn_try_status_) return spn_try_status_; \
  } while (0)

#endif
