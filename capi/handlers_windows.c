#include "faults.h"

void shale_handlers_on_stack(void) {} /* there are no signals */
