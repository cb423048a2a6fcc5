/* A data set with the transforms that the settings ask for. */
#ifndef SPN_TRAIN_DATA_H
#define SPN_TRAIN_DATA_H

#include "input/input.h"
#include "train/settings.h"

typedef struct {
  spn_dataset *set;
  spn_transform train, eval; /* mean and std resolved */
  int classes;
} spn_data;

/* The images alone, without transforms: for what must know them before the network's input is chosen. spn_data_prepare
 * must follow before a loader is opened. The caller closes. */
spn_status spn_data_open_set(const spn_settings *s, spn_data *out, spn_err *err);
spn_status spn_data_prepare(spn_data *d, const spn_settings *s, int size, int channels, spn_err *err);
/* Both. size and channels: of the network's input. With data.mean or data.std "auto" they are measured on up to 2000
 * training images. SPN_EINPUT: optim.batch is above the training images. The caller closes. */
spn_status spn_data_open(const spn_settings *s, int size, int channels, spn_data *out, spn_err *err);
/* For judging a network that brings its own: only the test images, labelled by the network's classes (`classes` names,
 * matched by name; names NULL: unknown, their number must agree), the transform as given; no training image is looked
 * at where there are test files. SPN_EINPUT: a class the network does not know. The caller closes. */
spn_status spn_data_open_test(const spn_settings *s, const spn_transform *eval, const char *const *names, int classes,
                              spn_data *out, spn_err *err);
/* A remark where a pack was reduced to another side than evaluation resizes to, or "". */
void spn_data_note(const spn_data *d, char *note, size_t size);
void spn_data_close(spn_data *d);
/* Mean and std of t where data.mean and data.std are numbers; "auto" leaves them as they are. */
spn_status spn_data_numbers(const spn_settings *s, spn_transform *t, spn_err *err);
/* training: augmented and shuffled; otherwise in order, evaluation transform. */
spn_status spn_data_loader(const spn_data *d, const spn_settings *s, spn_split split, int training,
                           uint64_t first_batch, spn_loader **out, spn_err *err);

#endif
