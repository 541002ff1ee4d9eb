/* Any bytes as the file of cagsr-reward's --scales; the first byte chooses the method.
 * The law: what is taken can be divided by. */
#include "../../tools/cagsr-reward/run.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct scales s = {0};
    struct err e = {0};
    const size_t skip = size > 0;
    const enum method m = (enum method)(skip ? data[0] % 3 : 0);
    const char *path = fuzz_file("scales.json", data + skip, size - skip);

    if (fuzz_said(scales_read(&s, path, m, 0, &e), &e) >= 0 && m == METHOD_F12)
        fuzz_law(s.s[PART_COVERAGE] > 0 && s.s[PART_FOCUS] > 0);
    scales_release(&s);
    return 0;
}
