/* The functions of root.h: a look whether this process may call Go at all, then the function's Go half. */
#include "_cgo_export.h"
#include "entry.h"
#include "python.h"
#include "root.h"

#define EXPORT __attribute__((visibility("default")))

#define ENTER \
	if (shale_refuse_if_forked()) \
		return SHALE_FORKED;

EXPORT int32_t shale_index_new(int64_t dim, const char *options, int64_t *index)
{
	ENTER;
	return goIndexNew(dim, (void *)options, index);
}

EXPORT int32_t shale_index_open(const char *path, const char *options, int64_t *index, void *watch)
{
	ENTER;
	RUN(goIndexOpen((void *)path, (void *)options, index, job));
}

EXPORT int32_t shale_index_build(const struct shale_source *source, const char *output, const char *options, int64_t progress, int64_t *index, void *watch)
{
	ENTER;
	RUN(goIndexBuild((void *)source, (void *)output, (void *)options, progress, index, job));
}

EXPORT int32_t shale_index_plan(const struct shale_source *source, const char *options, int64_t *text)
{
	ENTER;
	return goIndexPlan((void *)source, (void *)options, text);
}

EXPORT int32_t shale_index_add(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim, uint64_t *labels, int32_t assign, int64_t threads, int64_t progress, void *watch)
{
	ENTER;
	RUN(goIndexAdd(index, (void *)rows, type, count, dim, labels, assign, threads, progress, job));
}

EXPORT int32_t shale_index_mark(int64_t index, const uint64_t *labels, int64_t count, int32_t deleted)
{
	ENTER;
	return goIndexMark(index, (void *)labels, count, deleted);
}

EXPORT int32_t shale_index_compact(int64_t index, int64_t threads, void *watch)
{
	ENTER;
	RUN(goIndexCompact(index, threads, job));
}

EXPORT int32_t shale_index_find(const struct shale_index_query *query, void *watch)
{
	ENTER;
	RUN(goIndexFind((void *)query, job));
}

EXPORT int32_t shale_index_labels(int64_t index, uint64_t *labels, int64_t *count)
{
	ENTER;
	return goIndexLabels(index, labels, count);
}

EXPORT int32_t shale_index_vectors(int64_t index, const uint64_t *labels, int64_t count, float *vectors)
{
	ENTER;
	return goIndexVectors(index, (void *)labels, count, vectors);
}

EXPORT int32_t shale_index_tune(const struct shale_tuning *tuning, int64_t *text, void *watch)
{
	ENTER;
	RUN(goIndexTune((void *)tuning, text, job));
}

EXPORT int32_t shale_index_save(int64_t index, const char *path, const char *options, void *watch)
{
	ENTER;
	RUN(goIndexSave(index, (void *)path, (void *)options, job));
}

EXPORT int32_t shale_index_info(int64_t index, int64_t *text)
{
	ENTER;
	return goIndexInfo(index, text);
}

EXPORT int32_t shale_verify(const char *path, int64_t *text, void *watch)
{
	ENTER;
	RUN(goVerify((void *)path, text, job));
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
