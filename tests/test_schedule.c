/* Schedules follow the length of a run: nothing is left of a warm-up that is longer, nothing remembers more than a run.
 */
#include "train/schedule.h"

#include <math.h>

#include "check.h"

static spn_settings settings(long long batch) {
  spn_settings s;
  spn_settings_default(&s);
  s.optim_batch = batch;
  return s;
}

static void test_steps(void) {
  spn_settings s = settings(128);
  CHECK(spn_steps_per_epoch(&s, 45000) == 351, "whole batches only");
  CHECK(spn_steps_per_epoch(&s, 100) == 1, "a set below the batch has one step");
}

/* epochs as settled for so many images; the parts of the schedule stay in proportion. */
static void test_search(void) {
  static const struct {
    size_t images;
    long long batch, asked, epochs;
    double warmup, ramp, rate;
  } rows[] = {{45000, 128, 0, 8, 5, 0.5, 1},     /* the paper's schedule */
              {225, 32, 0, 115, 71.875, 0.5, 5}, /* 7 steps an epoch: as many epochs as give 800 steps */
              {45000, 128, 1, 1, 0.625, 0.0625, 0.125},
              {45000, 128, 40, 40, 25, 0.5, 5}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    spn_settings s = settings(rows[i].batch), again;
    spn_err err = {0};
    s.search_epochs = rows[i].asked;
    CHECK_OK(spn_schedule_search(&s, rows[i].images, &err), err);
    CHECK(s.search_epochs == rows[i].epochs, "row %zu: %lld epochs", i, s.search_epochs);
    CHECK_NEAR(s.search_warmup_epochs, rows[i].warmup, 1e-12, "row %zu: warm-up", i);
    CHECK_NEAR(s.search_ramp_epochs, rows[i].ramp, 1e-12, "row %zu: ramp", i);
    CHECK_NEAR(s.optim_lr_warmup_epochs, rows[i].rate, 1e-12, "row %zu: learning rate", i);
    again = s;
    CHECK_OK(spn_schedule_search(&again, rows[i].images, &err), err);
    CHECK(again.search_epochs == s.search_epochs && again.search_warmup_epochs == s.search_warmup_epochs &&
              again.optim_lr_warmup_epochs == s.optim_lr_warmup_epochs,
          "row %zu: settled twice", i);
  }
}

static void test_train(void) {
  spn_settings s = settings(64);
  spn_err err = {0};
  CHECK_OK(spn_schedule_train(&s, 2700, &err), err);
  CHECK(s.train_epochs == 24, "1000 steps of 42: %lld epochs", s.train_epochs);
  CHECK_NEAR(s.optim_lr_warmup_epochs, 3, 1e-12, "an eighth");
  CHECK_NEAR(s.optim_ema, 1 - 10 / (24.0 * 42), 1e-12, "averaged weights remember a tenth of the run");
  s = settings(128);
  s.train_epochs = 350;
  CHECK_OK(spn_schedule_train(&s, 1281167, &err), err);
  CHECK(s.optim_ema == 0.9999 && s.optim_lr_warmup_epochs == 5, "long runs are the paper's");
  s = settings(128);
  s.train_epochs = 1;
  CHECK_OK(spn_schedule_train(&s, 256, &err), err);
  CHECK(s.optim_ema == 0, "two steps: nothing to average, %g", s.optim_ema);
  s.optim_ema = 0;
  CHECK_OK(spn_schedule_train(&s, 256000, &err), err);
  CHECK(s.optim_ema == 0, "off stays off");
}

static void test_refused(void) {
  spn_settings s = settings(128);
  spn_err err = {0};
  s.search_epochs = 5, s.search_warmup_epochs = 5;
  CHECK(spn_schedule_search(&s, 45000, &err) == SPN_EINPUT &&
            strstr(err.text, "search.warmup_epochs: expected less than"),
        "%s", err.text);
  s = settings(128);
  s.train_epochs = 2, s.optim_lr_warmup_epochs = 2;
  CHECK(spn_schedule_train(&s, 45000, &err) == SPN_EINPUT && strstr(err.text, "optim.lr_warmup_epochs"), "%s",
        err.text);
}

int main(void) {
  test_steps();
  test_search();
  test_train();
  test_refused();
  return check_report("test_schedule");
}
