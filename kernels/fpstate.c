/* kernels/fpstate.c -- MXCSR on x86-64, FPCR on AArch64, nothing elsewhere. */
#include "kernels/fpstate.h"

#if defined(__x86_64__)

/* MXCSR: FTZ bit 15, rounding 14-13, exception masks 12-7, DAZ bit 6, sticky flags 5-0. */
enum { STICKY = 0x3f, MASKS = 0x1f80, FLUSH = 0x8040 };

static unsigned read_control(void)
{
    unsigned w;
    __asm__ volatile("stmxcsr %0" : "=m"(w));
    return w;
}

static void write_control(unsigned w)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(w) : "memory");
}

rg_fp_state rg_fp_enter(bool flush)
{
    unsigned old = read_control();
    write_control((old & STICKY) | MASKS | (flush ? FLUSH : 0));
    return (rg_fp_state){ old, 1 };
}

void rg_fp_leave(rg_fp_state old)
{
    if (old.has)
        write_control((old.control & ~(unsigned)STICKY) | (read_control() & STICKY));
}

#elif defined(__aarch64__)

/* FPCR: FZ bit 24, rounding 23-22, trap enables 15 and 12-8. */
enum { FLUSH = 1 << 24 };

rg_fp_state rg_fp_enter(bool flush)
{
    unsigned long old;
    __asm__ volatile("mrs %0, fpcr" : "=r"(old));
    __asm__ volatile("msr fpcr, %0" : : "r"(flush ? (unsigned long)FLUSH : 0UL) : "memory");
    return (rg_fp_state){ (unsigned)old, 1 };
}

void rg_fp_leave(rg_fp_state old)
{
    if (old.has)
        __asm__ volatile("msr fpcr, %0" : : "r"((unsigned long)old.control) : "memory");
}

#else

rg_fp_state rg_fp_enter(bool flush)
{
    (void)flush;
    return (rg_fp_state){ 0, 0 };
}

void rg_fp_leave(rg_fp_state old)
{
    (void)old;
}

#endif
