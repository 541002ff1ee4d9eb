#include "tiles.h"

#include "kern/isa.h"

#if ISA_BF16
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

/*
 * All seven begin with three bytes of VEX,
 *
 *     C4   ~R ~X ~B 00010   0 ~vvvv 0 pp   opcode   mod reg rm  [sib] [displacement]
 *
 * R, X and B are the fourth bits of reg, of the index and of the base (Intel's SDM, volume
 * 2, 2.3 and 2.1.5).
 */
struct insn {
    unsigned opcode, pp, mod, reg, rm, vvvv;
    char *address; /* of the operand in memory: base + index + displacement */
    uint64_t index;
    const uint8_t *end;
};

enum { NONE = 0, P66 = 1, F3 = 2, F2 = 3 }; /* pp */

static uint64_t reg_of(const greg_t *g, unsigned n)
{
    static const int at[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                               REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                               REG_R12, REG_R13, REG_R14, REG_R15};

    return (uint64_t)g[at[n]];
}

static uint64_t displacement(struct insn *x, size_t bytes)
{
    int8_t near = 0;
    int32_t far = 0;

    if (bytes == 1)
        memcpy(&near, x->end, 1);
    else
        memcpy(&far, x->end, bytes);
    x->end += bytes;
    return (uint64_t)(int64_t)(near + far);
}

/* What stands behind the byte of mod, reg and rm: B and X are 8 or 0. */
static void decode_memory(struct insn *x, const greg_t *g, unsigned B, unsigned X)
{
    const size_t bytes = x->mod == 1 ? 1 : x->mod == 2 ? 4 : 0;
    uint64_t a = 0;

    if (x->rm == 5 && x->mod == 0) { /* behind this instruction */
        a = displacement(x, 4);
        x->address = (char *)(uintptr_t)(a + (uint64_t)(uintptr_t)x->end);
        return;
    }
    if (x->rm == 4) {
        const unsigned sib = *x->end++, i = (sib >> 3 & 7) + X;

        if ((sib & 7) == 5 && x->mod == 0)
            abort();
        a = reg_of(g, (sib & 7) + B);
        x->index = i == 4 ? 0 : reg_of(g, i) << (sib >> 6);
    } else {
        a = reg_of(g, x->rm + B);
    }
    x->address = (char *)(uintptr_t)(a + displacement(x, bytes));
}

static struct insn decode(const greg_t *g)
{
    const uint8_t *p = (const uint8_t *)(uintptr_t)g[REG_RIP];
    struct insn x = {.opcode = p[3], .pp = p[2] & 3, .end = p + 5};

    if (p[0] != 0xc4 || (p[1] & 0x1f) != 2 || p[2] & 0x84)
        abort();
    x.mod = p[4] >> 6;
    x.reg = (p[4] >> 3 & 7) + (p[1] & 0x80 ? 0 : 8);
    x.rm = p[4] & 7;
    x.vvvv = ~p[2] >> 3 & 15;
    if (x.mod != 3)
        decode_memory(&x, g, p[1] & 0x20 ? 0 : 8, p[1] & 0x40 ? 0 : 8);
    return x;
}

static int is(const struct insn *x, unsigned opcode, unsigned pp, int memory)
{
    return x->opcode == opcode && x->pp == pp && (x->mod != 3) == memory;
}

static void trap(int signal, siginfo_t *info, void *context)
{
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    const struct insn x = decode(g);

    (void)signal;
    (void)info;
    if (is(&x, 0x49, NONE, 1))
        ldtilecfg(x.address);
    else if (is(&x, 0x49, NONE, 0))
        tilerelease();
    else if (is(&x, 0x49, F2, 0))
        tilezero((int)x.reg);
    else if (is(&x, 0x4b, F2, 1) || is(&x, 0x4b, P66, 1))
        tileloadd((int)x.reg, x.address, x.index);
    else if (is(&x, 0x4b, F3, 1))
        tilestored((int)x.reg, x.address, x.index);
    else if (is(&x, 0x5c, F3, 0))
        tdpbf16ps((int)x.reg, (int)x.rm, (int)x.vvvv);
    else
        abort();
    g[REG_RIP] = (greg_t)(uintptr_t)x.end;
}

int tiles_trap(void)
{
    const struct sigaction on = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO};
    unsigned a, b, c, d;

    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || d & (1u << 24))
        return 0;
    return sigaction(SIGILL, &on, NULL) == 0;
}
#else
int tiles_trap(void)
{
    return 0;
}
#endif
