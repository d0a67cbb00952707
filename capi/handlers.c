//go:build !windows

#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>

#include "faults.h"

enum { UNBLOCKED = 2 };

void shale_handlers_on_stack(void)
{
	static const int unblocked[UNBLOCKED] = {SIGCHLD, SIGPROF}; /* in Go's threads, whatever they inherit */

	for (int i = 0; i < UNBLOCKED; i++) {
		struct sigaction now;

		if (sigaction(unblocked[i], NULL, &now) != 0 || (now.sa_flags & SA_ONSTACK))
			continue;
		if (!(now.sa_flags & SA_SIGINFO) && (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN))
			continue;
		now.sa_flags |= SA_ONSTACK;
		sigaction(unblocked[i], &now, NULL);
	}
}
