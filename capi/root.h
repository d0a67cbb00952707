/* The C interface of the package at the root: indexes of any kind that it opens and builds, with what shale.h says of
 * statuses, arrays, handles and watches. Options and reports are JSON objects, the fields of which are those of the structs in
 * root_options.go and of the reports of the Go packages; a text is what holds a report: see shale_text.
 */
#ifndef SHALE_ROOT_H
#define SHALE_ROOT_H

#include <stdint.h>

#include "shale.h"

/* Further statuses. */
enum shale_root_status {
	SHALE_NO_LABEL = 32,  /* the index doesn't hold a label */
	SHALE_READ_ONLY = 33, /* the index can't be changed */
	SHALE_DAMAGED = 34,   /* a file isn't an index, or is damaged */
	SHALE_NO_FILE = 35,
	SHALE_DENIED = 36, /* the system refuses to read or write a file */
	SHALE_EXISTS = 37, /* something lies there that may not be replaced */
	SHALE_MEMORY = 38, /* the memory allowed doesn't suffice */
	SHALE_RECALL = 39  /* the recall can't be reached */
};

/* Rows to build of: count rows of dim values at rows, or the file at path where rows is NULL. */
struct shale_source {
	const void *rows;
	int64_t type, count, dim;
	const char *path;
	/* NULL, or what tells the file from others that rows are mapped from, for reading only: a build that goes on knows it
	 * again, and gives pages back that it has read. Rows in memory are known by a sum of what they hold. */
	const char *id;
	const uint64_t *labels; /* one a row; NULL: 0, 1, … */
	int64_t label_count;
};

/* What to search for. */
struct shale_index_query {
	int64_t index;
	const void *rows;
	int64_t type, count, dim, k;
	int64_t ef, rerank, probes, threads; /* 0: the index's own; all processors */
	double slack, share; /* 0: the index's own */
	const int64_t *filters; /* none, one for all queries, or one for each; a filter 0 allows all */
	int64_t filter_count;
	uint64_t *labels; /* k a query, nearest first, filled up with 2^64 - 1 */
	float *distances; /* likewise, filled up with +inf */
};

/* What to tune for. */
struct shale_tuning {
	int64_t index;
	const void *rows; /* queries */
	int64_t type, count, dim, k;
	const uint64_t *truth; /* truth_k true neighbours a query, nearest first; NULL: found by comparing all vectors */
	int64_t truth_k, max_ef, threads; /* 0: no bound; all processors */
	double recall;
};

int32_t shale_index_new(int64_t dim, const char *options, int64_t *index);
int32_t shale_index_open(const char *path, const char *options, int64_t *index, void *watch);
/* Builds an index on disk or, where index isn't NULL, in memory. What a build of several shards has done stays where it is cancelled, and it goes on from there. */
int32_t shale_index_build(const struct shale_source *source, const char *output, const char *options, int64_t progress,
	int64_t *index, void *watch);
/* A report of what shale_index_build would do. */
int32_t shale_index_plan(const struct shale_source *source, const char *options, int64_t *text);
/* Adds rows under labels, replacing the vectors of those that are there. assign: under labels that follow the largest one,
 * which are written to labels. */
int32_t shale_index_add(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim, uint64_t *labels,
	int32_t assign, int64_t threads, int64_t progress, void *watch);
/* Deletes labels, or brings deleted ones back; with SHALE_NO_LABEL those for which it can be done are changed all the same. */
int32_t shale_index_mark(int64_t index, const uint64_t *labels, int64_t count, int32_t deleted);
/* Takes deleted rows out. Changes wait meanwhile, searches go on. */
int32_t shale_index_compact(int64_t index, int64_t threads, void *watch);
int32_t shale_index_find(const struct shale_index_query *query, void *watch);
/* All labels that a search may find. count: in, the room there is; out, the number of labels, which may be more. */
int32_t shale_index_labels(int64_t index, uint64_t *labels, int64_t *count);
/* The vectors of labels, dim values each. Of an index that can't be changed all rows are read. */
int32_t shale_index_vectors(int64_t index, const uint64_t *labels, int64_t count, float *vectors);
/* Finds the fastest settings that reach a recall; searches that name no ef use them from then on. */
int32_t shale_index_tune(const struct shale_tuning *tuning, int64_t *text, void *watch);
int32_t shale_index_save(int64_t index, const char *path, const char *options, void *watch);
int32_t shale_index_info(int64_t index, int64_t *text);
int32_t shale_verify(const char *path, int64_t *text, void *watch);

/* The bytes of a text. size: in, the room there is; out, the text's, which may be more. */
int32_t shale_text(int64_t text, char *bytes, int64_t *size);

/* What a build tells of how far it is: the step's name, cut to size with the zero that ends it, and how much of it is done;
 * total is 0 where that isn't known. */
int32_t shale_progress_new(int64_t *progress);
int32_t shale_progress(int64_t progress, char *step, int64_t size, int64_t *done, int64_t *total);

#endif
