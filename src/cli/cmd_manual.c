/* Man pages, shell completion and the reference of settings, out of the tables that --help is made of, so that none of
 * them can say anything else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/version.h"
#include "export/export.h"
#include "io/file.h"
#include "train/columns.h"

static const char *options_of(const spn_command *c) {
  const char *text = strstr(c->usage, "\n\n");
  return text ? text + 2 : "";
}

/* ---- Man pages ---- */

/* roff takes a backslash, a leading dot or quote, and a plain hyphen for its own. */
static void put_roff(FILE *out, const char *text, size_t size) {
  int start = 1;
  for (size_t i = 0; i < size && text[i]; i++) {
    if (start && (text[i] == '.' || text[i] == '\'')) fputs("\\&", out);
    if (text[i] == '\\') fputs("\\e", out);
    else if (text[i] == '-') fputs("\\-", out);
    else fputc(text[i], out);
    start = text[i] == '\n';
  }
}

static void put_text(FILE *out, const char *text) { put_roff(out, text, strlen(text)); }

static void put_block(FILE *out, const char *text, size_t size) {
  fputs(".nf\n", out);
  put_roff(out, text, size);
  fputs("\n.fi\n", out);
}

static void put_head(FILE *out, const char *command, const char *about) {
  char title[64];
  snprintf(title, sizeof title, "spnas%s%s", *command ? "-" : "", command);
  fprintf(out, ".TH %s 1 \"\" \"spnas %s\" \"User Commands\"\n.SH NAME\n", title, spn_version());
  put_text(out, title);
  fputs(" \\- ", out);
  put_text(out, about);
}

static void put_settings(FILE *out, const char *sections) {
  spn_setting_about e;
  fputs(".SH SETTINGS\nGiven with \\-\\-set, or as JSON with \\-\\-config. In brackets: default, values, unit.\n", out);
  for (int i = 0; spn_settings_at(i, &e); i++) {
    if (!spn_settings_listed(sections, e.section)) continue;
    fputs(".TP\n.B ", out);
    put_text(out, e.path);
    fputs("\n", out);
    put_text(out, e.help);
    fputs(" (default ", out);
    put_text(out, e.value);
    fputs(") ", out);
    put_text(out, e.range);
    fputs("\n", out);
  }
}

static void put_exit_codes(FILE *out) {
  fputs(".SH EXIT STATUS\n", out);
  for (int i = 0; spn_exit_codes[i][0]; i++) {
    fputs(".TP\n.B ", out);
    put_text(out, spn_exit_codes[i][0]);
    fputs("\n", out);
    put_text(out, spn_exit_codes[i][1]);
    fputs("\n", out);
  }
}

static void put_command_page(FILE *out, const spn_command_entry *entry) {
  const spn_command *c = entry->command;
  const char *end = strstr(c->usage, "\n\n");
  put_head(out, entry->name, c->about);
  fputs("\n.SH SYNOPSIS\n", out);
  put_block(out, c->usage, end ? (size_t)(end - c->usage) : strlen(c->usage));
  fputs(".SH OPTIONS\n", out);
  put_block(out, options_of(c), strlen(options_of(c)));
  if (c->sections) put_block(out, spn_common_options, strlen(spn_common_options));
  if (c->help) {
    fputs(".SH NAMES\n.nf\n", out);
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (memory) {
      c->help(memory);
      fclose(memory);
      put_roff(out, text, size);
      free(text);
    }
    fputs(".fi\n", out);
  }
  if (c->sections) put_settings(out, c->sections);
  put_exit_codes(out);
  fputs(".SH SEE ALSO\n.BR spnas (1)\n", out);
}

static void put_overview_page(FILE *out, const spn_command_entry *entry) {
  put_head(out, "", spn_program_about);
  fputs("\n.SH SYNOPSIS\n.B spnas\n.I COMMAND ...\n.SH COMMANDS\n", out);
  for (const spn_command_entry *c = spn_commands; c->name; c++) {
    fprintf(out, ".TP\n.BR spnas\\-%s (1)\n", c->name);
    put_text(out, c->command->about);
    fputs("\n", out);
  }
  put_exit_codes(out);
  fputs(".SH ENVIRONMENT\n.TP\n.B SPNAS_DATA\nfolder that holds spaces/, latency/ and networks/, where it is not found "
        "beside the program\n",
        out);
}

typedef void (*page_writer)(FILE *out, const spn_command_entry *entry);

static spn_status save_page(const char *folder, const char *name, page_writer put, const spn_command_entry *entry,
                            spn_err *err) {
  char path[1200], *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) return spn_fail(err, SPN_ENOMEM, "manual: out of memory");
  put(out, entry);
  if (fclose(out)) {
    free(text);
    return spn_fail(err, SPN_ENOMEM, "manual: out of memory");
  }
  snprintf(path, sizeof path, "%s/%s.1", folder, name);
  spn_status status = spn_file_write(path, text, size, err);
  free(text);
  return status;
}

static spn_status save_pages(const char *folder, spn_err *err) {
  SPN_TRY(spn_folder_create(folder, err));
  SPN_TRY(save_page(folder, "spnas", put_overview_page, NULL, err));
  for (const spn_command_entry *c = spn_commands; c->name; c++) {
    char name[64];
    snprintf(name, sizeof name, "spnas-%s", c->name);
    SPN_TRY(save_page(folder, name, put_command_page, c, err));
  }
  return SPN_OK;
}

/* ---- Completion ---- */

/* Calls put for every "  --name VALUE" that begins a line of text; value "" for a flag, "[VALUE]" where it may go
 * without. */
typedef void (*option_writer)(const char *name, const char *value);
static void each_option_in(const char *text, option_writer put) {
  for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    char name[32], value[32] = "";
    int used = 0;
    if (sscanf(line, "  --%28[a-z0-9-]%n", name + 2, &used) != 1) continue;
    memcpy(name, "--", 2);
    if (line[used] == ' ' && line[used + 1] != ' ') sscanf(line + used + 1, "%30[][A-Za-z.=]", value);
    put(name, value);
  }
}

static void each_option(const spn_command *c, option_writer put) {
  each_option_in(options_of(c), put);
  if (c->sections) each_option_in(spn_common_options, put);
  put("--help", "");
}

static void put_option_name(const char *name, const char *value) { printf("%s ", name); }

/* Names that may follow path=, separated by spaces. */
static void put_setting_values(const spn_setting_about *e) {
  for (int i = 0; e->names && e->names[i]; i++) printf("%s=%s ", e->path, e->names[i]);
  if (!e->names) printf("%s= ", e->path);
}

static void put_settings_of(const spn_command *c) {
  spn_setting_about e;
  for (int i = 0; spn_settings_at(i, &e); i++)
    if (c->sections && spn_settings_listed(c->sections, e.section)) put_setting_values(&e);
}

static void put_bash(void) {
  printf("# bash completion for spnas, made by `spnas manual bash`\n"
         "_spnas() {\n"
         "  local cur prev command options settings\n"
         "  cur=${COMP_WORDS[COMP_CWORD]}\n"
         "  prev=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  command=${COMP_WORDS[1]}\n"
         "  # bash splits words at =: the setting's name, =, what follows\n"
         "  if [ \"$cur\" = = ]; then cur= prev=\"${COMP_WORDS[COMP_CWORD-2]} $prev=\"\n"
         "  elif [ \"$prev\" = = ]; then prev=\"${COMP_WORDS[COMP_CWORD-3]} ${COMP_WORDS[COMP_CWORD-2]}=\"; fi\n"
         "  if [ \"$COMP_CWORD\" = 1 ]; then\n    COMPREPLY=($(compgen -W \"");
  for (const spn_command_entry *c = spn_commands; c->name; c++) printf("%s ", c->name);
  printf("--help --version\" -- \"$cur\"))\n    return\n  fi\n  case $command in\n");
  for (const spn_command_entry *c = spn_commands; c->name; c++) {
    printf("    %s)\n      options=\"", c->name);
    each_option(c->command, put_option_name);
    printf("\"\n      settings=\"");
    put_settings_of(c->command);
    printf("\" ;;\n");
  }
  printf("    *) return ;;\n  esac\n  case $prev in\n"
         "    --set) compopt -o nospace; COMPREPLY=($(compgen -W \"$settings\" -- \"$cur\")) ;;\n"
         "    '--set '*=)\n      COMPREPLY=($(compgen -W \"$settings\" -- \"${prev#--set }$cur\"))\n"
         "      COMPREPLY=(\"${COMPREPLY[@]#*=}\") ;;\n"
         "    --data) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n    --format) COMPREPLY=($(compgen -W \"");
  for (int i = 0; spn_exporters[i]; i++) printf("%s ", spn_exporter_names[i]);
  printf("\" -- \"$cur\")) ;;\n    *)\n      case $cur in\n"
         "        -*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
         "        *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n      esac ;;\n  esac\n}\n"
         "complete -o filenames -F _spnas spnas\n");
}

/* For zsh's _arguments: what it takes for its own is left out. */
static void put_zsh_text(const char *text) {
  for (; *text; text++)
    if (!strchr("[]:'\\", *text)) putchar(*text);
}

static void put_zsh_option(const char *name, const char *value) {
  int files = strstr(value, "FILE") || strstr(value, "DIR") || !strcmp(value, "WEIGHTS") || !strcmp(value, "ARCH");
  if (!strcmp(name, "--set")) printf(" \\\n        '*--set[one setting]:setting: compadd -S \"\" -a settings'");
  else if (!*value) printf(" \\\n        '%s'", name);
  else if (*value == '[') printf(" \\\n        '%s::%.*s: '", name, (int)strlen(value) - 2, value + 1);
  else printf(" \\\n        '%s:%s:%s'", name, value, files ? "_files" : " ");
}

static void put_zsh(void) {
  printf("#compdef spnas\n# zsh completion for spnas, made by `spnas manual zsh`\n_spnas() {\n"
         "  local -a commands settings\n  commands=(\n");
  for (const spn_command_entry *c = spn_commands; c->name; c++) {
    printf("    '%s:", c->name);
    put_zsh_text(c->command->about);
    printf("'\n");
  }
  printf("  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
         "  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n");
  for (const spn_command_entry *c = spn_commands; c->name; c++) {
    printf("    %s)\n      settings=(", c->name);
    put_settings_of(c->command);
    printf(")\n      _arguments");
    each_option(c->command, put_zsh_option);
    printf(" \\\n        '*:file:_files' ;;\n");
  }
  printf("  esac\n}\n_spnas \"$@\"\n");
}

/* ---- The reference of settings ---- */

static void put_cell(const char *text) {
  for (; *text; text++) {
    if (*text == '|') putchar('\\');
    putchar(*text);
  }
}

static void put_markdown(void) {
  spn_setting_about e;
  const char *section = "";
  printf("# Settings\n\nEvery setting of spnas %s: `--set section.key=value`, or JSON with `--config`.\n",
         spn_version());
  for (int i = 0; spn_settings_at(i, &e); i++) {
    if (strcmp(section, e.section)) {
      printf("\n## %s\n\nOf the commands", e.section);
      for (const spn_command_entry *c = spn_commands; c->name; c++)
        if (c->command->sections && spn_settings_listed(c->command->sections, e.section)) printf(" `%s`", c->name);
      printf(".\n\n| setting | default | values, unit | meaning |\n|---|---|---|---|\n");
    }
    section = e.section;
    printf("| `%s` | `%s` | ", e.path, e.value);
    put_cell(e.range);
    printf(" | ");
    put_cell(e.help);
    printf(" |\n");
  }
}

static void put_columns(void) {
  printf(
      "# Columns of metrics.jsonl and archive.jsonl\n\nOne object a line. \"Of each indicator\": a list (on: a text), "
      "whose order is that of `indicators` in a search's `columns.json`.\n\n| column | unit | meaning "
      "|\n|---|---|---|\n");
  for (const spn_column *c = spn_columns; c->key; c++) {
    printf("| `%s` | %s | ", c->key, c->unit);
    put_cell(c->about);
    printf(" |\n");
  }
}

/* ---- The command ---- */

static spn_status command(const spn_arguments *a, spn_err *err) {
  static const char *const kinds[] = {"man", "bash", "zsh", "settings", "columns", NULL};
  int kind = a->positional ? spn_name_index(kinds, a->positional) : -1;
  if (kind < 0)
    return spn_fail(err, SPN_EINPUT, "expected man, bash, zsh, settings or columns, got %s",
                    a->positional ? a->positional : "nothing");
  if (kind == 0 && (!a->out || !*a->out))
    return spn_fail(err, SPN_EINPUT, "--out: expected the folder for the man pages, got nothing");
  if (kind > 0 && a->out)
    return spn_fail(err, SPN_EINPUT, "--out: %s goes to standard output; expected no --out, got %s", kinds[kind],
                    a->out);
  switch (kind) {
    case 0: return save_pages(a->out, err);
    case 1: put_bash(); break;
    case 2: put_zsh(); break;
    case 3: put_markdown(); break;
    default: put_columns();
  }
  return SPN_OK;
}

const spn_command spn_cmd_manual = {
    .about = "Writes man pages, shell completion, or the reference of all settings or columns.",
    .usage = "spnas manual man --out DIR\n       spnas manual bash|zsh|settings|columns\n\n"
             "  --out DIR          folder for the man pages; the others go to standard output",
    .takes = "po",
    .run = command};
