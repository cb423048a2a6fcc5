#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "train/resume.h"

typedef struct {
  char letter;
  const char *name, *setting; /* setting: the option is short for --set setting=value */
  const char *expects;        /* what its value is, for messages */
} option;

static const option options[] = {{'d', "--data", "data.path", "the folder of the images, or a pack"},
                                 {'t', "--target", "search.target", "the budget"},
                                 {'l', "--target", "search.targets", "the budgets, with commas between"},
                                 {'L', "--lambdas", "search.lambdas", "values of search.lambda, with commas between"},
                                 {'u', "--tune", "tune.ranges", "settings with their ranges, as search.explore=0..1"},
                                 {'U', "--trials", "tune.trials", "a number"},
                                 {'a', "--arch", "train.arch", "arch.json, a name in data/networks or a block string"},
                                 {'i', "--init", "train.init", "a .safetensors file of spnas to start from"},
                                 {'c', "--config", NULL, "a JSON file of settings"},
                                 {'s', "--set", NULL, "section.key=value"},
                                 {'o', "--out", NULL, "the file or folder to write"},
                                 {'D', "--dump", NULL, "the file to write"},
                                 {'f', "--format", "export.format", "a format's name"},
                                 {'E', "--endpoints", "export.endpoints", "strides with commas between"},
                                 {'n', "--networks", "latency.networks", "a CSV of measured networks"},
                                 {'h', "--holdout", "latency.holdout", "a CSV of measured networks"},
                                 {'P', "--plot", "latency.plot", "the CSV to write"},
                                 {'N', "--network", "latency.network", "a name in data/networks or a file"},
                                 {'v', "--serve", NULL, "a port"},
                                 {'m', "--target", "scale.target", "what the network may cost"},
                                 {'H', "--depth", "train.depth", "what multiplies the layers"},
                                 {'W', "--width", "train.width", "what multiplies the channels"},
                                 {'Z', "--size", "train.size", "the input size"},
                                 {'C', "--names", "import.names", "a file of class names, one a line"},
                                 {'S', "--seed", "run.seed", "a number"},
                                 {'T', "--threads", "run.threads", "a number"}};
static const option flags[] = {{.letter = 'r', "--resume"},
                               {.letter = 'q', "--quiet"},
                               {.letter = 'j', "--json"},
                               {.letter = 'R', "--reproducible"}};

/* Of --serve, which may go without: what is not made of these is no value of it. */
static const char PORT[] = "0123456789.:";

static int taken(const char *takes, char letter) { return strchr("csST", letter) || strchr(takes, letter); }

static spn_status set_value(spn_arguments *out, const option *o, const char *value, spn_err *err) {
  char text[1200];
  if (o->letter == 'v') out->serve = value;
  if (!*value && o->letter != 'v')
    return spn_fail(err, SPN_EINPUT, "%s: expected %s, got an empty value", o->name, o->expects);
  if (o->letter == 'o') out->out = value;
  if (o->letter == 'D') out->dump = value;
  if (o->letter == 'c') return spn_settings_load(&out->settings, value, err);
  if (o->letter == 's') return spn_settings_set(&out->settings, value, err);
  if (!o->setting) return SPN_OK;
  if (o->letter == 't' && strchr(value, ','))
    return spn_fail(err, SPN_EINPUT, "--target: expected one budget, got \"%.100s\"; spnas sweep searches for several",
                    value);
  if ((size_t)snprintf(text, sizeof text, "%s=%s", o->setting, value) >= sizeof text)
    return spn_fail(err, SPN_EINPUT, "%s: the value is too long", o->name);
  if (o->letter == 't') SPN_TRY(spn_settings_set(&out->settings, "search.target_share=0", err));
  return spn_settings_set(&out->settings, text, err);
}

static int set_flag(spn_arguments *out, const char *takes, const char *arg) {
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    if (strcmp(arg, flags[i].name) || !taken(takes, flags[i].letter)) continue;
    if (flags[i].letter == 'r') out->resume = 1;
    if (flags[i].letter == 'q') out->quiet = 1;
    if (flags[i].letter == 'j') out->json = 1;
    if (flags[i].letter == 'R') out->settings.run_reproducible = 1;
    return 1;
  }
  return 0;
}

static const option *find_option(const char *takes, const char *arg) {
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (!strcmp(arg, options[i].name) && taken(takes, options[i].letter)) return &options[i];
  return NULL;
}

/* The option's value, and *i moves to it; "" where it goes without, NULL where it is missing. */
static const char *value_of(const option *o, int argc, char **argv, int *i) {
  const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;
  if (o->letter == 'v' && (!next || !*next || next[strspn(next, PORT)])) return "";
  ++*i;
  return next;
}

/* The settings of the run that goes on, beneath everything else on the command line. */
static spn_status begin_with_run(int argc, char **argv, const char *takes, spn_settings *s, spn_err *err) {
  const char *out = NULL;
  int resume = 0;
  if (!strchr(takes, 'r')) return SPN_OK;
  for (int i = 1; i < argc; i++) {
    const option *o = find_option(takes, argv[i]);
    resume |= !o && !strcmp(argv[i], "--resume");
    const char *value = o ? value_of(o, argc, argv, &i) : NULL;
    if (o && o->letter == 'o') out = value; /* NULL at the end: told later */
  }
  if (!out) return SPN_OK;
  if (resume) return spn_resume_settings(out, argv[0], s, err);
  if (!spn_run_exists(out)) return SPN_OK;
  return spn_fail(err, SPN_EINPUT, "%s holds a run already; continue it with --resume, or choose another --out", out);
}

static int asks_for_help(int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return 1;
  return 0;
}

/* An argument that is no option. */
static spn_status take_word(spn_arguments *out, const char *takes, const char *word, spn_err *err) {
  int several = strchr(takes, 'w') != NULL;
  if (word[0] == '-' || (!several && !strchr(takes, 'p')))
    return spn_fail(err, SPN_EINPUT, "unknown argument %s; see --help", word);
  if (!word[0]) return spn_fail(err, SPN_EINPUT, "expected a file or name, got an empty argument");
  if (out->positional && !several)
    return spn_fail(err, SPN_EINPUT, "expected one file, got %s and %s", out->positional, word);
  if (out->words == SPN_MAX_WORDS)
    return spn_fail(err, SPN_EINPUT, "expected at most %d arguments, got more", SPN_MAX_WORDS);
  if (!out->positional) out->positional = word;
  out->word[out->words++] = word;
  return SPN_OK;
}

/* Config files first, whatever their place, so that everything else on the command line overrides them. */
spn_status spn_arguments_parse(int argc, char **argv, const char *takes, spn_arguments *out, int *help, spn_err *err) {
  memset(out, 0, sizeof *out);
  *help = asks_for_help(argc, argv);
  spn_settings_default(&out->settings);
  if (*help) return SPN_OK;
  SPN_TRY(begin_with_run(argc, argv, takes, &out->settings, err));
  for (int pass = 0; pass < 2; pass++)
    for (int i = 1; i < argc; i++) {
      const option *o = find_option(takes, argv[i]);
      if (o) {
        const char *value = value_of(o, argc, argv, &i);
        if (!value) return spn_fail(err, SPN_EINPUT, "%s: expected a value after it, got nothing", o->name);
        if ((o->letter == 'c') == (pass == 0)) SPN_TRY(set_value(out, o, value, err));
      } else if (pass == 1 && !set_flag(out, takes, argv[i])) {
        SPN_TRY(take_word(out, takes, argv[i], err));
      }
    }
  return SPN_OK;
}
