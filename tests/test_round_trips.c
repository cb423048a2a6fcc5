/* Networks into text and back: block strings in both grammars, files, and their place in a space, for random networks
 * of every space and for any other. */
#include <dirent.h>

#include "check.h"
#include "core/rng.h"
#include "io/file.h"
#include "model/blockstring.h"
#include "model/decisions.h"
#include "model/frame_json.h"

#ifdef __SANITIZE_ADDRESS__ /* the same code, seven times as slow */
enum { ROUNDS = 1000 };
#else
enum { ROUNDS = 10000 };
#endif

static int same_blocks(const spn_arch *a, const spn_arch *b) {
  int equal = a->blocks == b->blocks && !strcmp(a->name, b->name);
  for (int i = 0; equal && i < a->blocks; i++)
    equal = a->block[i].skipped == b->block[i].skipped && a->block[i].activation == b->block[i].activation;
  return equal && spn_arch_equal(a, b);
}

/* A string read back gives the network, skipped layers aside, and printed again the same string. */
static void string_round_trip(const char *where, const spn_arch *arch, char *(*print)(const spn_arch *)) {
  spn_err err = {0};
  spn_arch again = *arch;
  char *text = print(arch), *second = NULL;
  CHECK(text && !spn_blockstring_parse(text, &again, NULL, &err), "%s: %s: %s", where, text, err.text);
  CHECK(spn_arch_equal(arch, &again), "%s: another network: %s", where, text);
  second = print(&again);
  CHECK(text && second && !strcmp(text, second), "%s: %s printed again: %s", where, text, second);
  free(second);
  free(text);
}

static void json_round_trip(const char *where, const spn_arch *arch) {
  spn_err err = {0};
  spn_arch again;
  spn_json_doc *doc = NULL;
  char *text = spn_arch_to_json(arch);
  if (text && !spn_json_parse("arch.json", text, strlen(text), &doc, &err)) {
    const spn_json root = spn_json_root(doc);
    CHECK_OK(spn_arch_read(&root, &again, NULL, &err), err);
    CHECK(same_blocks(arch, &again), "%s: another network: %s", where, text);
    spn_json_free(doc);
  } else {
    CHECK(0, "%s: %s: %s", where, text, err.text);
  }
  free(text);
}

/* The network found again in its space: from its file, in which skipped layers are marked, the same choice; without
 * them the same network, with the kept layers first in each stage. */
static void match_round_trip(const spn_space *space, const spn_choice *choice, const spn_arch *arch) {
  spn_err err = {0};
  spn_choice again;
  spn_arch compact = *arch, matched;
  CHECK_OK(spn_space_match(space, arch, &again, &err), err);
  CHECK(spn_choice_equal(choice, &again), "%s: a marked network matches its own choice", space->name);
  compact.blocks = 0;
  for (int i = 0; i < arch->blocks; i++)
    if (!arch->block[i].skipped) compact.block[compact.blocks++] = arch->block[i];
  CHECK_OK(spn_space_match(space, &compact, &again, &err), err);
  spn_space_arch(space, &again, 0, &matched);
  CHECK(spn_arch_equal(arch, &matched), "%s: matched another network", space->name);
  int open = 1;
  for (int i = 0; i < space->layers; i++) {
    if (!space->layer[i].skippable) open = 1;
    CHECK(open || !again.layer[i].keep, "%s: layer %d kept behind a skipped one", space->name, i);
    if (!again.layer[i].keep) open = 0;
  }
}

static void test_space(const char *name) {
  spn_err err = {0};
  spn_space space;
  CHECK_OK(spn_space_load(name, &space, &err), err);
  for (uint64_t n = 0; !err.code && n < ROUNDS; n++) {
    spn_choice choice;
    spn_arch arch;
    spn_choice_random(&space, 11, n, &choice);
    spn_space_arch(&space, &choice, 0, &arch);
    CHECK_OK(spn_arch_check(&arch, &err), err);
    match_round_trip(&space, &choice, &arch);
    string_round_trip(name, &arch, spn_blockstring_mnasnet);
    string_round_trip(name, &arch, spn_blockstring_timm);
    json_round_trip(name, &arch);
  }
}

/* Every space there is. */
static void test_spaces(void) {
  DIR *folder = opendir(SPN_SOURCE_DIR "/data/spaces");
  int spaces = 0;
  for (struct dirent *e; folder && (e = readdir(folder));) {
    char path[4096];
    if (!strstr(e->d_name, ".json")) continue;
    snprintf(path, sizeof path, SPN_SOURCE_DIR "/data/spaces/%.256s", e->d_name);
    test_space(path);
    spaces++;
  }
  CHECK(spaces >= 10, "only %d spaces", spaces);
  if (folder) closedir(folder);
}

/* Any legal network, whatever no space would choose: shortcuts here and there, ratios without a short decimal, plain
 * convolutions, activations that change, layers left out. */
static int draw(uint64_t *at, int count) { return (int)spn_rng_below(23, SPN_RNG_TEST, (*at)++, (uint64_t)count); }

static spn_arch any_network(uint64_t n) {
  static const int channels[] = {1, 3, 8, 16, 24, 96, 1280, 8192};
  static const double ratios[] = {0, 0, 0.25, 1, 1.0 / 3, 1e-9, 0.062500001};
  uint64_t at = n << 20;
#define DRAW(count) draw(&at, count)
  spn_arch a = {.name = "any",
                .input_size = 1 + DRAW(SPN_MAX_SIZE),
                .input_channels = 1 + DRAW(4),
                .classes = 1 + DRAW(1000),
                .stem_channels = channels[DRAW(8)],
                .stem_kernel = 1 + 2 * DRAW(4),
                .stem_stride = 1 + DRAW(2),
                .head_channels = DRAW(2) ? channels[DRAW(8)] : 0,
                .head_widens = DRAW(2),
                .activation = (spn_act)DRAW(SPN_ACT_HSWISH + 1),
                .padding = (spn_padding)DRAW(2),
                .bn_momentum = DRAW(1000) / 1001.0,
                .bn_eps = (1 + DRAW(1000)) / 1e6,
                .dropout = DRAW(1000) / 1001.0};
  for (int in = a.stem_channels, left = 1 + DRAW(20); left; left--) {
    spn_block *b = &a.block[a.blocks++], *last = a.blocks > 1 ? b - 1 : NULL;
    const int alike = last && DRAW(2); /* often the last one again, so that words have repeats */
    if (alike) *b = *last;
    else
      *b = (spn_block){.kernel = 3 + 2 * DRAW(3),
                       .expand = DRAW(8),
                       .se = ratios[DRAW(7)],
                       .activation = (spn_act)DRAW(SPN_ACT_HSWISH + 1)};
    b->in = in;
    b->out = in = alike && DRAW(4) ? in : channels[DRAW(8)];
    b->stride = alike || DRAW(2) ? 1 : 2;
    if (!b->expand) b->se = 0;
    const int shortcut = b->stride == 1 && b->in == b->out;
    b->residual = shortcut && DRAW(4);
    b->skipped = shortcut && !DRAW(8);
  }
#undef DRAW
  return a;
}

static int blocks_left(const spn_arch *a) {
  int left = 0;
  for (int i = 0; i < a->blocks; i++) left += !a->block[i].skipped;
  return left;
}

static void test_any_network(void) {
  for (uint64_t n = 0; n < ROUNDS; n++) {
    spn_err err = {0};
    const spn_arch arch = any_network(n);
    CHECK_OK(spn_arch_check(&arch, &err), err);
    json_round_trip("any", &arch);
    if (!blocks_left(&arch)) continue; /* a string says something */
    string_round_trip("any", &arch, spn_blockstring_mnasnet);
    string_round_trip("any", &arch, spn_blockstring_timm);
  }
}

static void test_file(void) {
  char file[] = "./test_model_XXXXXX.json";
  const int handle = mkstemps(file, 5);
  spn_err err = {0};
  spn_arch arch, again;
  CHECK_OK(spn_arch_load(SPN_SOURCE_DIR "/data/networks/mnasnet-small.json", &arch, &err), err);
  char *text = spn_arch_to_json(&arch);
  CHECK(handle >= 0 && text, "cannot make a file here");
  if (handle < 0 || !text) return;
  CHECK_OK(spn_file_write(file, text, strlen(text), &err), err);
  CHECK_OK(spn_arch_load(file, &again, &err), err);
  CHECK(same_blocks(&arch, &again), "by way of a file");
  free(text);
  remove(file);
}

int main(void) {
  test_spaces();
  test_any_network();
  test_file();
  return check_report("test_round_trips");
}
