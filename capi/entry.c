/* The functions of shale.h: a look whether this process may call Go at all, then the function's Go half. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"
#include "entry.h"
#include "faults.h"
#include "python.h"
#include "shale.h"

#define EXPORT __attribute__((visibility("default")))

static _Thread_local char *last_error;
static int forked; /* set in a child of fork: Go's threads are gone there */

static char *inheritance; /* what a child that is being forked off inherits */

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

EXPORT int32_t shale_inherit(const char *description, int64_t *index)
{
	ENTER;
	return goInherit((void *)description, index);
}

EXPORT int32_t shale_handles_after(int64_t last)
{
	int32_t status;

	ENTER;
	status = goHandlesAfter(last); /* which waits until Go has begun */
	shale_faults_begin();
	return status;
}

EXPORT int32_t shale_graph_new(int32_t space, int64_t dim, int64_t capacity, int64_t m, int64_t ef_construction, uint64_t seed, int32_t replace_deleted, int32_t external, int64_t *index)
{
	ENTER;
	return goGraphNew(space, dim, capacity, m, ef_construction, seed, replace_deleted, external, index);
}

EXPORT int32_t shale_graph_attach(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim, int32_t mapped)
{
	ENTER;
	if (mapped)
		shale_faults_expected();
	return goGraphAttach(index, (void *)rows, type, count, dim, mapped);
}

EXPORT int32_t shale_graph_add_attached(int64_t index, int64_t count, const uint64_t *labels, int32_t threads, void *watch)
{
	ENTER;
	RUN(goGraphAddAttached(index, count, (void *)labels, threads, job));
}

EXPORT int32_t shale_graph_load(const char *path, int32_t space, int64_t dim, int64_t capacity, int32_t replace_deleted, int64_t *index, void *watch)
{
	ENTER;
	RUN(goGraphLoad((void *)path, space, dim, capacity, replace_deleted, index, job));
}

EXPORT int32_t shale_graph_create(const char *path, int32_t space, int64_t dim, int64_t capacity, int64_t m, int64_t ef_construction, uint64_t seed, int32_t replace_deleted, int64_t *index)
{
	ENTER;
	shale_faults_expected();
	return goGraphCreate((void *)path, space, dim, capacity, m, ef_construction, seed, replace_deleted, index);
}

EXPORT int32_t shale_graph_map(const char *path, int32_t space, int64_t dim, int32_t read_only, int64_t *index, void *watch)
{
	ENTER;
	shale_faults_expected();
	RUN(goGraphMap((void *)path, space, dim, read_only, index, job));
}

EXPORT int32_t shale_graph_import(int32_t space, int64_t dim, uint64_t seed, int32_t replace_deleted, const char *header, const char *level0, int64_t level0_size, const int32_t *levels, const char *lists, int64_t lists_size, int64_t *index)
{
	ENTER;
	return goGraphImport(space, dim, seed, replace_deleted, (void *)header, (void *)level0, level0_size, (void *)levels, (void *)lists, lists_size, index);
}

EXPORT int32_t shale_graph_export(int64_t index, char *header, char *level0, int64_t *level0_size, int32_t *levels, int64_t *count, char *lists, int64_t *lists_size)
{
	ENTER;
	return goGraphExport(index, header, level0, level0_size, levels, count, lists, lists_size);
}

EXPORT int32_t shale_graph_file_size(int64_t index, int64_t *size)
{
	ENTER;
	return goGraphFileSize(index, size);
}

EXPORT int32_t shale_graph_mark(int64_t index, uint64_t label, int32_t deleted)
{
	ENTER;
	return goGraphMark(index, label, deleted);
}

EXPORT int32_t shale_graph_write(int64_t index, const char *path, void *watch)
{
	ENTER;
	RUN(goGraphWrite(index, (void *)path, job));
}

EXPORT int32_t shale_graph_read(const char *path, int32_t space, int64_t dim, int64_t *index, void *watch)
{
	ENTER;
	RUN(goGraphRead((void *)path, space, dim, index, job));
}

EXPORT int32_t shale_graph_resize(int64_t index, int64_t capacity)
{
	ENTER;
	return goGraphResize(index, capacity);
}

EXPORT int32_t shale_flat_new(int32_t space, int64_t dim, int64_t capacity, int64_t *index)
{
	ENTER;
	return goFlatNew(space, dim, capacity, index);
}

EXPORT int32_t shale_flat_load(const char *path, int32_t space, int64_t dim, int64_t capacity, int64_t *index, void *watch)
{
	ENTER;
	RUN(goFlatLoad((void *)path, space, dim, capacity, index, job));
}

EXPORT int32_t shale_flat_remove(int64_t index, uint64_t label)
{
	ENTER;
	return goFlatRemove(index, label);
}

EXPORT int32_t shale_shard_build(const void *rows, int32_t type, int64_t count, int64_t dim, int32_t space, const char *dir, int64_t number, int64_t start, int64_t m, int64_t ef_construction, int32_t threads, void *watch)
{
	ENTER;
	RUN(goShardBuild((void *)rows, type, count, dim, space, (void *)dir, number, start, m, ef_construction, threads, job));
}

EXPORT int32_t shale_shards_describe(const char *dir, int32_t space, int64_t dim, int64_t shards, int64_t total, int64_t m, int64_t ef_construction)
{
	ENTER;
	return goShardsDescribe((void *)dir, space, dim, shards, total, m, ef_construction);
}

EXPORT int32_t shale_shards_open(const char *dir, int32_t space, int64_t dim, int64_t shards, int32_t global, int32_t mapped, int64_t in_memory, int64_t *index, void *watch)
{
	ENTER;
	shale_faults_expected();
	RUN(goShardsOpen((void *)dir, space, dim, shards, global, mapped, in_memory, index, job));
}

EXPORT int32_t shale_shards_attach(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim, int32_t mapped)
{
	ENTER;
	if (mapped)
		shale_faults_expected();
	return goShardsAttach(index, (void *)rows, type, count, dim, mapped);
}

EXPORT int32_t shale_shards_attach_pq(int64_t index, const uint8_t *codes, int64_t count, int64_t subvectors, const float *books, int64_t centroids, const int64_t *order, int64_t order_count, int32_t mapped)
{
	ENTER;
	if (mapped)
		shale_faults_expected();
	return goShardsAttachPq(index, (void *)codes, count, subvectors, (void *)books, centroids, (void *)order, order_count, mapped);
}

EXPORT int32_t shale_shards_set_global(int64_t index, int32_t global)
{
	ENTER;
	return goShardsSetGlobal(index, global);
}

EXPORT int32_t shale_add(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim, const uint64_t *labels, int32_t threads, int32_t replace_deleted, void *watch)
{
	ENTER;
	RUN(goAdd(index, (void *)rows, type, count, dim, (void *)labels, threads, replace_deleted, job));
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

EXPORT int32_t shale_vectors(int64_t index, const uint64_t *labels, int64_t count, float *vectors)
{
	ENTER;
	return goVectors(index, (void *)labels, count, vectors);
}

EXPORT int32_t shale_labels(int64_t index, uint64_t *labels, int64_t *count)
{
	ENTER;
	return goLabels(index, labels, count);
}

EXPORT int32_t shale_stat(int64_t index, int64_t *fields)
{
	ENTER;
	return goStat(index, fields);
}

EXPORT int32_t shale_count_from(int64_t index, uint64_t next)
{
	ENTER;
	return goCountFrom(index, next);
}

EXPORT int32_t shale_save(int64_t index, const char *path, void *watch)
{
	ENTER;
	RUN(goSave(index, (void *)path, job));
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

EXPORT int32_t shale_close(int64_t *object)
{
	int64_t handle;

	ENTER;
	handle = __atomic_exchange_n(object, 0, __ATOMIC_SEQ_CST);
	return handle == 0 ? SHALE_OK : goClose(handle);
}
