#include "cli/cli.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct opts {
    struct cli_common common;
    double temp;
    size_t n;
    int greedy, mode;
    const char *text, *attn;
    struct cli_list stop;
};

static const char *const modes[] = {"mean", "norm", NULL};

static const struct cli_option options[] = {
    {"temperature", 't', CLI_DOUBLE, offsetof(struct opts, temp), "TEMP", "h", 0, 10,
     0},
    {"count", 'n', CLI_SIZE, offsetof(struct opts, n), "N", "h", 1, 1e6, 0},
    {"greedy", 'g', CLI_FLAG, offsetof(struct opts, greedy), 0, "h", 0, 0, 0},
    {"reduce", 0, CLI_CHOICE, offsetof(struct opts, mode), "HOW", "h", 0, 0, modes},
    {"text", 0, CLI_STRING, offsetof(struct opts, text), "STR", "h", 0, 0, 0},
    {"attn", 0, CLI_OPTARG, offsetof(struct opts, attn), "LAYERS", "h", 0, 0, 0},
    {"stop", 0, CLI_LIST, offsetof(struct opts, stop), "STR", "h", 0, 0, 0},
    {0},
};

static const struct cli_tool tool = {
    .name = "cagsr-test",
    .synopsis = "[-t TEMP] [file ...]",
    .summary = "Tests the command line.",
    .common = CLI_THREADS | CLI_SEEDED | CLI_OUTPUT | CLI_FORCE,
    .options = options,
    .max_files = 2,
};

static struct opts parse(int argc, const char *const *argv)
{
    struct opts o = {.temp = 1, .n = 4};

    unsetenv("CAGSR_THREADS");
    cli_parse(&tool, &o, argc, (char **)(uintptr_t)argv);
    return o;
}

#define ARGV(...) ((const char *const[]){"cagsr-test", __VA_ARGS__, NULL})
#define PARSE(...)                                                                     \
    parse((int)(sizeof ARGV(__VA_ARGS__) / sizeof(char *)) - 1, ARGV(__VA_ARGS__))

Test(cli, defaults_and_stdin)
{
    struct opts o = PARSE("--");

    cr_expect_eq(o.temp, 1);
    cr_expect_eq(o.common.nfiles, 1);
    cr_expect_str_eq(o.common.files[0], "-");
    cr_expect_str_eq(o.common.command_line, "cagsr-test --");
    cr_expect_eq(cli_finish(&tool, &o.common, 0, &(struct err){0}), 0);
}

Test(cli, every_type)
{
    const char *const argv[] = {"cagsr-test", "-t",   "0.5",    "--count=2K", "-g",
                                "--reduce",   "norm", "--text", "a",          "--attn",
                                "--seed",     "0x10", "--stop", "x",          "--stop",
                                "y",          "f",    "g",      NULL};
    struct opts o = parse(18, argv);

    cr_expect_eq(o.temp, 0.5);
    cr_expect_eq(o.n, 2048);
    cr_expect_eq(o.greedy, 1);
    cr_expect_eq(o.mode, 1);
    cr_expect_str_eq(o.text, "a");
    cr_expect_str_eq(o.attn, "");
    cr_expect_eq(o.common.seed, 16);
    cr_assert_eq(o.stop.n, 2);
    cr_expect_str_eq(o.stop.item[1], "y");
    cr_expect_eq(o.common.nfiles, 2);
    cr_expect(cli_given(&o.common, "stop"));
    cr_expect_not(cli_given(&o.common, "force"));
    cli_finish(&tool, &o.common, 0, &(struct err){0});
}

static const char *const wrong[][4] = {
    {"-t", "nan"},
    {"-t", "11"},
    {"-t", "-1"},
    {"-t", "1x"},
    {"--count", "-1"},
    {"--count", "1.5"},
    {"--count", "99T"},
    {"--count", "0"},
    {"--nope"},
    {"-Z"},
    {"--reduce", "max"},
    {"--seed", "ten"},
    {"-j", "5000"},
    {"a", "b", "c"},
    {"-t"},
    {"--greedy=1"},
    {"--count", "18446744073709551615G"},
};

Test(cli, wrong_command_lines_exit_2)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *argv[6] = {"cagsr-test"};
        int argc = 1, status;

        while (argc < 5 && wrong[i][argc - 1]) {
            argv[argc] = wrong[i][argc - 1];
            argc++;
        }
        const int pid = fork();
        if (pid == 0) {
            fclose(stderr);
            parse(argc, argv);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 2, "row %zu was taken",
                  i);
    }
}

Test(cli, help_exits_0, .exit_code = 0, .init = cr_redirect_stdout)
{
    PARSE("--help");
}

Test(cli, the_error_is_one_line, .init = cr_redirect_stderr)
{
    struct opts o = PARSE("--");
    struct err e = {0};
    const int rc = err_set(&e, ERR_TRUNC, "record 7: input ends inside it");

    cr_expect_eq(cli_finish(&tool, &o.common, rc, &e), 4);
    fflush(stderr);
    cr_expect_stderr_eq_str("cagsr-test: record 7: input ends inside it\n");
}

Test(cli, an_output_file_appears_whole_or_not_at_all)
{
    char dir[] = "/tmp/cagsr-cli-XXXXXX", path[64];
    struct cli_output out;
    struct err e = {0};

    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/out", dir);
    const struct cli_common c = {.output = path};
    cr_assert_eq(cli_output_open(&out, &c, &e), 0);
    cr_expect_eq(write(out.fd, "x", 1), 1);
    cr_expect_neq(access(path, F_OK), 0);
    cr_expect_eq(cli_output_close(&out, ERR_RECORD, &e), ERR_RECORD);
    cr_expect_neq(access(path, F_OK), 0);
    cr_assert_eq(cli_output_open(&out, &c, &e), 0);
    cr_expect_eq(cli_output_close(&out, 0, &e), 0);
    cr_expect_eq(access(path, F_OK), 0);
    unlink(path);
    cr_expect_eq(rmdir(dir), 0, "a temporary file was left");
}
