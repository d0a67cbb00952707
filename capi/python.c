/* Waiting for jobs on behalf of Python, and asking Python's functions. A function that begins a job doesn't return to
 * Python before the job has ended, so that no exception, raised at whatever instruction of Python, can come between the
 * two. */
#include <stdatomic.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <time.h>
#endif

#include "_cgo_export.h"
#include "entry.h"
#include "faults.h"
#include "python.h"
#include "shale.h"

enum { SLICE_MS = 50, PATIENCE_MS = 5000 };

static struct shale_python python;

EXPORT void shale_python_is(const struct shale_python *functions) { python = *functions; }

int64_t *shale_begin(struct shale_waiting *w, void *watch)
{
	w->watch = watch;
	w->job = 0;
	if (watch == NULL)
		return NULL;
	shale_handlers_on_stack();
	w->thread = python.release();
	return &w->job;
}

/* Lets Python answer signals and the caller look how far the job is; not 0 says that something was raised. */
static int look(struct shale_waiting *w)
{
	void *result = NULL;

	python.acquire(w->thread);
	if (python.signals() == 0)
		result = python.call(w->watch, NULL);
	if (result != NULL)
		python.drop(result);
	w->thread = python.release();
	return result == NULL;
}

static int32_t wait_for(struct shale_waiting *w)
{
	int32_t status;
	int raised = 0;

	while ((status = goWait(w->job, SLICE_MS)) == SHALE_RUNNING) {
		if (raised || !look(w))
			continue;
		raised = 1;
		goCancel(w->job);
	}
	return status;
}

int32_t shale_end(struct shale_waiting *w, int32_t status)
{
	if (w->watch == NULL)
		return status;
	if (status == SHALE_OK)
		status = wait_for(w);
	python.acquire(w->thread);
	return status;
}

static atomic_int asking; /* calls under way */
static atomic_int ending; /* the interpreter is about to end */

int32_t shale_ask(shale_allow allow, uint64_t label, int32_t *answer)
{
	int32_t got = -1;

	asking++;
	if (!ending) {
		*answer = -1;
		allow(label);
		got = *answer;
	}
	asking--;
	return got;
}

static void sleep_a_millisecond(void)
{
#ifdef _WIN32
	Sleep(1);
#else
	nanosleep(&(struct timespec){0, 1000000}, NULL);
#endif
}

EXPORT void shale_python_ends(void)
{
	ending = 1;
	for (int i = 0; i < PATIENCE_MS && asking > 0; i++)
		sleep_a_millisecond();
}
