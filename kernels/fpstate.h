/* kernels/fpstate.h -- the floating-point control state of the calling thread. */
#ifndef RG_KERNELS_FPSTATE_H
#define RG_KERNELS_FPSTATE_H

#include <stdbool.h>

/* What rg_fp_enter() found; opaque. */
typedef struct rg_fp_state { unsigned control, has; } rg_fp_state;

/* Round to nearest, mask traps, and flush subnormals to zero or keep them. Does nothing on a CPU
 * whose control word we do not know. */
rg_fp_state rg_fp_enter(bool flush);
/* The control bits as they were; sticky exception flags stay raised. */
void rg_fp_leave(rg_fp_state old);

#endif
