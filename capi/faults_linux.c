/* Reading a mapped file that was cut off raises SIGBUS, which Go's handler turns into an error. A handler that is set
 * after Go's, such as faulthandler's, would end the process instead. So what is raised by code of this library goes to
 * Go's handler, and all else to the other one. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#include "faults.h"

enum { SIGNALS = 2 };
static const int signals[SIGNALS] = {SIGBUS, SIGSEGV};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction of_go[SIGNALS]; /* unset until shale_faults_begin */
static struct sigaction of_others[SIGNALS];
static uintptr_t text_start, text_end; /* of this library */

static uintptr_t program_counter(void *context)
{
#if defined(__x86_64__)
	return ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return ((ucontext_t *)context)->uc_mcontext.pc;
#endif
}

static void hand_on(const struct sigaction *to, int number, siginfo_t *info, void *context)
{
	if (to->sa_flags & SA_SIGINFO)
		to->sa_sigaction(number, info, context);
	else if (to->sa_handler == SIG_DFL || to->sa_handler == SIG_IGN)
		signal(number, SIG_DFL); /* the instruction runs again, and ends the process */
	else
		to->sa_handler(number);
}

static void handler(int number, siginfo_t *info, void *context)
{
	int i = number == signals[0] ? 0 : 1;
	uintptr_t at = program_counter(context);

	hand_on(at >= text_start && at < text_end ? &of_go[i] : &of_others[i], number, info, context);
}

static int find_text(struct dl_phdr_info *library, size_t size, void *unused)
{
	(void)size, (void)unused;
	for (int i = 0; i < library->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
		uintptr_t start = library->dlpi_addr + segment->p_vaddr, end = start + segment->p_memsz;

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
			continue;
		if ((uintptr_t)handler < start || (uintptr_t)handler >= end)
			continue;
		text_start = start, text_end = end;
		return 1;
	}
	return 0;
}

void shale_faults_begin(void)
{
	pthread_mutex_lock(&lock);
	if (text_end == 0 && dl_iterate_phdr(find_text, NULL))
		for (int i = 0; i < SIGNALS; i++)
			sigaction(signals[i], NULL, &of_go[i]);
	pthread_mutex_unlock(&lock);
}

static int same(const struct sigaction *one, void (*other)(int, siginfo_t *, void *))
{
	return (one->sa_flags & SA_SIGINFO) && one->sa_sigaction == other;
}

void shale_faults_expected(void)
{
	pthread_mutex_lock(&lock);
	for (int i = 0; text_end != 0 && i < SIGNALS; i++) {
		struct sigaction now, ours = of_go[i];

		if (!(of_go[i].sa_flags & SA_SIGINFO) || sigaction(signals[i], NULL, &now) != 0)
			continue;
		if (same(&now, handler) || same(&now, of_go[i].sa_sigaction))
			continue;
		of_others[i] = now;
		ours.sa_sigaction = handler;
		sigaction(signals[i], &ours, NULL);
	}
	pthread_mutex_unlock(&lock);
}
