/* The functions of shale.h: a look whether this process may call Go at all, then the function's Go half. */
#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <pthread.h>
#endif

#include "_cgo_export.h"
#include "entry.h"
#include "faults.h"
#include "python.h"
#include "shale.h"

static _Thread_local char *last_error;
static int forked; /* set in a child of fork: Go's threads are gone there */

static char *inheritance; /* what a child that is being forked off inherits */

#ifndef _WIN32 /* which has no fork */
static void before_fork(void)
{
	if (!forked)
		inheritance = goBeforeFork();
}

static void after_fork_in_parent(void)
{
	if (forked)
		return;
	goAfterFork();
	free(inheritance);
	inheritance = NULL;
}

static void after_fork_in_child(void) { forked = 1; }

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
#endif

void shale_set_error(const char *text, int64_t size)
{
	free(last_error);
	last_error = malloc(size + 1);
	if (last_error == NULL)
		return;
	memcpy(last_error, text, size);
	last_error[size] = 0;
}

EXPORT const char *shale_inheritance(void) { return forked ? inheritance : NULL; }

EXPORT const char *shale_last_error(void) { return last_error != NULL ? last_error : ""; }

static int32_t refuse(void)
{
	static const char text[] = "the index was made before this process was forked off, and can't be used in it";
	shale_set_error(text, sizeof text - 1);
	return SHALE_FORKED;
}

int32_t shale_refuse_if_forked(void) { return forked ? refuse() : SHALE_OK; }

/* The address of a NumPy array's elements: the first field of PyArrayObject after Python's own head. */
static void *data_of(const void *array, int64_t head) { return *(void *const *)((const char *)array + head); }

#define ENTER \
	if (forked) \
		return refuse();

EXPORT int32_t shale_handles_after(int64_t last)
{
	int32_t status;

	ENTER;
	status = goHandlesAfter(last); /* which waits until Go has begun */
	shale_faults_begin();
	return status;
}

EXPORT int32_t shale_inherit(const char *description, int64_t *index)
{
	ENTER;
	return goInherit((void *)description, index);
}

EXPORT int32_t shale_new(const char *options, int64_t *index)
{
	ENTER;
	return goNew((void *)options, index);
}

EXPORT int32_t shale_open(const char *path, const char *options, int64_t *index, void *watch)
{
	ENTER;
	RUN(goOpen((void *)path, (void *)options, index, job));
}

EXPORT int32_t shale_build(const struct shale_source *source, const char *output, const char *options,
	int64_t progress, int64_t *index, void *watch)
{
	ENTER;
	RUN(goBuild((void *)source, (void *)output, (void *)options, progress, index, job));
}

EXPORT int32_t shale_plan(const struct shale_source *source, const char *output, const char *options, int64_t *text)
{
	ENTER;
	return goPlan((void *)source, (void *)output, (void *)options, text);
}

EXPORT int32_t shale_verify(const char *path, int64_t *text, void *watch)
{
	ENTER;
	RUN(goVerify((void *)path, text, job));
}

EXPORT int32_t shale_attach(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim, int32_t mapped)
{
	ENTER;
	if (mapped)
		shale_faults_expected();
	return goAttach(index, (void *)rows, type, count, dim, mapped);
}

EXPORT int32_t shale_attach_pq(int64_t index, const uint8_t *codes, int64_t count, int64_t subvectors,
	const float *codebooks, int64_t centroids, const int64_t *order, int64_t order_count, int32_t mapped)
{
	ENTER;
	if (mapped)
		shale_faults_expected();
	return goAttachPq(index, (void *)codes, count, subvectors,
		(void *)codebooks, centroids, (void *)order, order_count, mapped);
}

EXPORT int32_t shale_set_global(int64_t index, int32_t global)
{
	ENTER;
	return goSetGlobal(index, global);
}

EXPORT int32_t shale_add(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim, uint64_t *labels,
	int32_t assign, int64_t threads, int32_t replace_deleted, int64_t progress, void *watch)
{
	ENTER;
	RUN(goAdd(index, (void *)rows, type, count, dim, labels, assign, threads, replace_deleted, progress, job));
}

EXPORT int32_t shale_mark(int64_t index, const uint64_t *labels, int64_t count, int32_t deleted,
	int32_t ignore_missing)
{
	ENTER;
	return goMark(index, (void *)labels, count, deleted, ignore_missing);
}

EXPORT int32_t shale_compact(int64_t index, int64_t threads, void *watch)
{
	ENTER;
	RUN(goCompact(index, threads, job));
}

EXPORT int32_t shale_resize(int64_t index, int64_t capacity)
{
	ENTER;
	return goResize(index, capacity);
}

EXPORT int32_t shale_count_from(int64_t index, uint64_t next)
{
	ENTER;
	return goCountFrom(index, next);
}

EXPORT int32_t shale_vectors(int64_t index, const uint64_t *labels, int64_t count, float *vectors)
{
	ENTER;
	return goVectors(index, (void *)labels, count, vectors);
}

EXPORT int32_t shale_labels(int64_t index, int32_t deleted, uint64_t *labels, int64_t *count)
{
	ENTER;
	return goLabels(index, deleted, labels, count);
}

EXPORT int32_t shale_contains(int64_t index, const uint64_t *labels, int64_t count, uint8_t *found)
{
	ENTER;
	return goContains(index, (void *)labels, count, found);
}

EXPORT int32_t shale_stat(int64_t index, struct shale_stat *stat)
{
	ENTER;
	return goStat(index, stat);
}

EXPORT int32_t shale_info(int64_t index, int64_t *text)
{
	ENTER;
	return goInfo(index, text);
}

EXPORT int32_t shale_tune(const struct shale_tuning *tuning, int64_t *text, void *watch)
{
	ENTER;
	RUN(goTune((void *)tuning, text, job));
}

EXPORT int32_t shale_save(int64_t index, const char *path, const char *options, void *watch)
{
	ENTER;
	RUN(goSave(index, (void *)path, (void *)options, job));
}

EXPORT int32_t shale_file_size(int64_t index, int64_t *size)
{
	ENTER;
	return goFileSize(index, size);
}

EXPORT int32_t shale_export(int64_t index, char *header, char *level0, int64_t *level0_size, int32_t *levels,
	int64_t *count, char *lists, int64_t *lists_size)
{
	ENTER;
	return goExport(index, header, level0, level0_size, levels, count, lists, lists_size);
}

EXPORT int32_t shale_import(const char *options, const char *header, const char *level0, int64_t level0_size,
	const int32_t *levels, const char *lists, int64_t lists_size, int64_t *index)
{
	ENTER;
	return goImport((void *)options, (void *)header, (void *)level0, level0_size, (void *)levels, (void *)lists,
		lists_size, index);
}

EXPORT int32_t shale_shard_build(const void *rows, int32_t type, int64_t count, int64_t dim, const char *dir,
	const char *options, int64_t number, int64_t start, void *watch)
{
	ENTER;
	RUN(goShardBuild((void *)rows, type, count, dim, (void *)dir, (void *)options, number, start, job));
}

EXPORT int32_t shale_shards_describe(const char *dir, const char *options, int64_t shards, int64_t total)
{
	ENTER;
	return goShardsDescribe((void *)dir, (void *)options, shards, total);
}

EXPORT int32_t shale_filter_labels(const uint64_t *labels, int64_t count, int64_t *filter)
{
	ENTER;
	return goFilterLabels((void *)labels, count, filter);
}

EXPORT int32_t shale_filter_range(uint64_t first, uint64_t last, uint64_t step, int64_t *filter)
{
	ENTER;
	return goFilterRange(first, last, step, filter);
}

EXPORT int32_t shale_filter_mask(const char *mask, int64_t size, int64_t *filter)
{
	ENTER;
	return goFilterMask((void *)mask, size, filter);
}

EXPORT int32_t shale_filter_roaring(const char *bytes, int64_t size, int32_t bits, int64_t *filter)
{
	ENTER;
	return goFilterRoaring((void *)bytes, size, bits, filter);
}

EXPORT int32_t shale_filter_callback(void (*allow)(uint64_t label), int32_t *answer, int64_t *filter)
{
	ENTER;
	return goFilterCallback(allow, answer, filter);
}

EXPORT int32_t shale_collection_create(const char *dir, const char *schema)
{
	ENTER;
	return goCollectionCreate((void *)dir, (void *)schema);
}

EXPORT int32_t shale_collection_open(const char *dir, const char *options, int64_t *collection, void *watch)
{
	ENTER;
	RUN(goCollectionOpen((void *)dir, (void *)options, collection, job));
}

EXPORT int32_t shale_collection_verify(const char *dir, int64_t *text, void *watch)
{
	ENTER;
	RUN(goCollectionVerify((void *)dir, text, job));
}

EXPORT int32_t shale_collection_restore(const char *snapshot, const char *dir, void *watch)
{
	ENTER;
	RUN(goCollectionRestore((void *)snapshot, (void *)dir, job));
}

EXPORT int32_t shale_collection_do(int64_t collection, const char *operation, const char *arguments,
	const struct shale_rows *rows, int64_t row_count, int64_t *answer, void *watch)
{
	ENTER;
	RUN(goCollectionDo(collection, (void *)operation, (void *)arguments, (void *)rows, row_count, answer, job));
}

EXPORT int32_t shale_answer_vectors(int64_t answer, float *rows, int64_t *count)
{
	ENTER;
	return goAnswerVectors(answer, rows, count);
}

EXPORT int32_t shale_text(int64_t text, char *bytes, int64_t *size)
{
	ENTER;
	return goText(text, bytes, size);
}

EXPORT int32_t shale_progress_new(int64_t *progress)
{
	ENTER;
	return goProgressNew(progress);
}

EXPORT int32_t shale_progress(int64_t progress, char *step, int64_t size, int64_t *done, int64_t *total)
{
	ENTER;
	return goProgress(progress, step, size, done, total);
}

EXPORT int32_t shale_search(const struct shale_query *query, void *watch)
{
	struct shale_query q;

	ENTER;
	if (query->head == 0)
		RUN(goSearch((void *)query, job));
	q = *query;
	q.rows = data_of(q.rows, q.head);
	q.labels = data_of(q.labels, q.head);
	q.distances = data_of(q.distances, q.head);
	RUN(goSearch(&q, job));
}

EXPORT int32_t shale_range(const struct shale_query *query, double radius, int64_t *found, void *watch)
{
	ENTER;
	RUN(goRange((void *)query, radius, found, job));
}

EXPORT int32_t shale_found(int64_t found, int64_t *offsets, uint64_t *labels, float *distances, int64_t *count)
{
	ENTER;
	return goFound(found, offsets, labels, distances, count);
}

EXPORT int32_t shale_close(int64_t *object)
{
	int64_t handle;

	ENTER;
	handle = __atomic_exchange_n(object, 0, __ATOMIC_SEQ_CST);
	return handle == 0 ? SHALE_OK : goClose(handle);
}
