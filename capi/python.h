/* How functions that take a watch wait for their jobs: see shale.h. */
#ifndef SHALE_PYTHON_H
#define SHALE_PYTHON_H

#include <stdint.h>

struct shale_waiting {
	void *watch, *thread;
	int64_t job;
};

/* Gives where the job's handle goes; NULL says that there is to be none. */
int64_t *shale_begin(struct shale_waiting *w, void *watch);
/* Waits for the job, if the status of its beginning is SHALE_OK, and gives its status. */
int32_t shale_end(struct shale_waiting *w, int32_t status);

/* The body of a function that takes a watch: start is the call of the Go half, which takes the variable job. */
#define RUN(start) \
	do { \
		struct shale_waiting waiting; \
		int64_t *job = shale_begin(&waiting, watch); \
		return shale_end(&waiting, start); \
	} while (0)

#endif
