/* ops/reals.h -- compiles the reference kernels of a family three times from one text.
 *
 * A family file defines RG_KERNELS as its own name and includes this, which includes the file again
 * with REAL defined: the part under #ifdef REAL is the kernels. There
 *   REAL  is a real number in memory, of the plan's precision;
 *   WIDE  is what formulas and sums are computed in: double, also for float, so that an f32 kernel
 *         is the formula rounded once;
 *   CONST is what an attribute is rounded to first, as constants of the graph are;
 *   K(f)  names a function after the number type;
 *   RE(x) is the real part, which alone decides at kinks;
 *   ALONG(x, f, df) is f of the real part, and for complex x its derivative times the imaginary
 *         part: exact for the tiny steps of the complex-step method, where C has no such function.
 * Functions of <tgmath.h> follow the type of their argument. */
#include <tgmath.h>

#define REAL  float
#define WIDE  double
#define CONST float
#define K(f)  f##_f32
#define RE(x) (x)
#define ALONG(x, f, df) (f)
#include RG_KERNELS
#undef REAL
#undef CONST
#undef K

#define REAL  double
#define CONST double
#define K(f)  f##_f64
#include RG_KERNELS
#undef REAL
#undef WIDE
#undef K
#undef RE
#undef ALONG

#define REAL  double _Complex
#define WIDE  double _Complex
#define K(f)  f##_complex
#define RE(x) creal(x)
#define ALONG(x, f, df) ((f) + cimag(x) * (df) * I)
#include RG_KERNELS
#undef REAL
#undef WIDE
#undef CONST
#undef K
#undef RE
#undef ALONG
#undef RG_KERNELS
