//go:build !linux

/* Here the handlers of signals stay as they are: Windows has none, and cuts off no file that is mapped. */
#include "faults.h"

void shale_faults_begin(void) {}

void shale_faults_expected(void) {}
