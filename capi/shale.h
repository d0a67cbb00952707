/* The C interface of Shale: what the Python package calls.
 *
 * Every function gives a status. On anything but SHALE_OK and SHALE_RUNNING, shale_last_error() tells the calling thread
 * what was wrong. Arrays are passed by address and are neither copied nor kept, unless it is said; rows are C-contiguous.
 * Objects are named by handles; a handle that isn't, or is no longer, an object's gives SHALE_CLOSED. All functions may be
 * called from many threads.
 *
 * A function that takes a watch works in the calling thread where watch is NULL. Else watch is a callable object of Python,
 * and the function must be called with Python's global lock held: it works in another thread, releases the lock meanwhile,
 * and calls watch about 20 times a second. Once watch or the handler of a signal raises, the work is cancelled, and the
 * function returns when it has ended; the exception is then the calling thread's. So nothing that was given is read or
 * written after a function has returned, whatever is raised and whenever.
 *
 * In a child of fork() every function gives SHALE_FORKED: see shale_inheritance.
 */
#ifndef SHALE_H
#define SHALE_H

#include <stdint.h>

enum shale_status {
	SHALE_OK = 0,
	SHALE_RUNNING = 1,   /* within the library: a job goes on */
	SHALE_ERROR = 2,     /* what was asked can't be done */
	SHALE_VALUE = 3,     /* an argument's value is wrong: NaN, a size */
	SHALE_CLOSED = 4,    /* no object has that handle */
	SHALE_FORKED = 5,    /* the library was loaded by a process that this one was forked from */
	SHALE_CANCELLED = 6, /* the job was cancelled */
	SHALE_FEW = 7        /* fewer results than asked for */
};

enum shale_space { SHALE_L2 = 0, SHALE_IP = 1, SHALE_COSINE = 2 };

enum shale_type { SHALE_FLOAT32 = 0, SHALE_FLOAT16 = 1 };

/* What shale_stat tells. */
enum shale_stat_field {
	SHALE_STAT_CAPACITY = 0,
	SHALE_STAT_COUNT = 1, /* elements, those marked deleted included */
	SHALE_STAT_DELETED = 2,
	SHALE_STAT_M = 3,
	SHALE_STAT_EF_CONSTRUCTION = 4,
	SHALE_STAT_REPLACING = 5,
	SHALE_STAT_DIM = 6,
	SHALE_STAT_EXTERNAL = 7, /* it holds links alone */
	SHALE_STAT_NEXT = 8,     /* the label of the next row that has none */
	SHALE_STAT_FIELDS = 9
};

/* In a child of fork(): what it inherits, as JSON; else NULL. {"Last": handle, "Indexes": {handle: description}}. A copy of
 * the library that the child loads (from another file: the loader gives the same copy for the same file) makes indexes of
 * the descriptions; its own handles are to begin after the last one: 0 in a library that is loaded first, which is to be
 * called before others set handlers of SIGSEGV and SIGBUS. */
const char *shale_inheritance(void);
int32_t shale_inherit(const char *description, int64_t *index);
int32_t shale_handles_after(int64_t last);

/* Text of the calling thread's last error; valid until its next call. */
const char *shale_last_error(void);

/* Functions of Python's C interface by their addresses: the library isn't linked with them, so that it serves every
 * version. They must be given before a function is called with a watch. */
struct shale_python {
	void *(*release)(void);                         /* PyEval_SaveThread */
	void (*acquire)(void *thread);                  /* PyEval_RestoreThread */
	int (*signals)(void);                           /* PyErr_CheckSignals */
	void *(*call)(void *callable, void *arguments); /* PyObject_CallObject */
	void (*drop)(void *object);                     /* Py_DecRef */
};
void shale_python_is(const struct shale_python *functions);
/* To be called before the interpreter ends: from then on no function of Python is called. A thread that the interpreter ends
 * while Go waits for its answer would end the process. */
void shale_python_ends(void);

/* An empty graph index of fixed capacity. external: it holds links alone, and its rows are attached. */
int32_t shale_graph_new(int32_t space, int64_t dim, int64_t capacity, int64_t m, int64_t ef_construction, uint64_t seed,
	int32_t replace_deleted, int32_t external, int64_t *index);
/* Gives an index of links alone its rows: row i is that of the i-th element, or of label i where labels are numbers of rows.
 * They are kept by address for the index's life, or until others are attached. mapped: they lie in a file, and reading them
 * may fail. */
int32_t shale_graph_attach(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim, int32_t mapped);
/* Adds the attached rows that follow those added so far, under labels or, where they are NULL, under those that follow the
 * number of rows added so far. */
int32_t shale_graph_add_attached(int64_t index, int64_t count, const uint64_t *labels, int32_t threads, void *watch);
/* hnswlib's index.bin. A capacity below the file's count means the file's own. */
int32_t shale_graph_load(const char *path, int32_t space, int64_t dim, int64_t capacity, int32_t replace_deleted,
	int64_t *index, void *watch);
/* An empty index in a file, made or overwritten, whose arrays are changed in place. */
int32_t shale_graph_create(const char *path, int32_t space, int64_t dim, int64_t capacity, int64_t m,
	int64_t ef_construction, uint64_t seed, int32_t replace_deleted, int64_t *index);
/* An index.bin whose vectors stay in the file, and can't be added to; or what shale_graph_create made, to be changed unless
 * read_only. */
int32_t shale_graph_map(const char *path, int32_t space, int64_t dim, int32_t read_only, int64_t *index, void *watch);
/* The parts of an index.bin, as shale_graph_export gives them. */
int32_t shale_graph_import(int32_t space, int64_t dim, uint64_t seed, int32_t replace_deleted, const char *header,
	const char *level0, int64_t level0_size, const int32_t *levels, const char *lists, int64_t lists_size, int64_t *index);
/* Header (96 bytes), level 0, the upper lists without their lengths, and each element's level, as in an index.bin.
 * Sizes: in, the room there is; out, what there is, which may be more: then the arrays hold only the start. */
int32_t shale_graph_export(int64_t index, char *header, char *level0, int64_t *level0_size, int32_t *levels,
	int64_t *count, char *lists, int64_t *lists_size);
/* Bytes that shale_save writes. */
int32_t shale_graph_file_size(int64_t index, int64_t *size);
/* Marks label deleted, or takes the mark back. */
int32_t shale_graph_mark(int64_t index, uint64_t label, int32_t deleted);
/* hnswlib-mmap's .graph of the index, which appears whole or not at all. */
int32_t shale_graph_write(int64_t index, const char *path, void *watch);
/* hnswlib-mmap's .graph, an index of links alone. */
int32_t shale_graph_read(const char *path, int32_t space, int64_t dim, int64_t *index, void *watch);
/* Another capacity, no less than the count. */
int32_t shale_graph_resize(int64_t index, int64_t capacity);

/* An empty exact index of fixed capacity. */
int32_t shale_flat_new(int32_t space, int64_t dim, int64_t capacity, int64_t *index);
/* hnswlib's brute-force file. */
int32_t shale_flat_load(const char *path, int32_t space, int64_t dim, int64_t capacity, int64_t *index, void *watch);
/* Removes label for good; an unknown one gives SHALE_OK. */
int32_t shale_flat_remove(int64_t index, uint64_t label);

/* Directories of shards of hnswlib-mmap: builds one shard of rows, whose first has the number start in the whole. */
int32_t shale_shard_build(const void *rows, int32_t type, int64_t count, int64_t dim, int32_t space, const char *dir,
	int64_t number, int64_t start, int64_t m, int64_t ef_construction, int32_t threads, void *watch);
/* Writes index.meta. */
int32_t shale_shards_describe(const char *dir, int32_t space, int64_t dim, int64_t shards, int64_t total, int64_t m,
	int64_t ef_construction);
/* Opens shards as one index, whose rows are to be attached. global: labels in the graphs are those of the whole. The first
 * in_memory graphs are held in memory and others mapped, or all of them as mapped says where it is 0. */
int32_t shale_shards_open(const char *dir, int32_t space, int64_t dim, int64_t shards, int32_t global, int32_t mapped,
	int64_t in_memory, int64_t *index, void *watch);
int32_t shale_shards_attach(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim, int32_t mapped);
/* Codes of product quantization in the place of rows: count x subvectors bytes, kept by address; books of subvectors x
 * centroids x (dim / subvectors) values, copied. order: the code of row i is order[i]; NULL: i. Distances are squared L2. */
int32_t shale_shards_attach_pq(int64_t index, const uint8_t *codes, int64_t count, int64_t subvectors, const float *books,
	int64_t centroids, const int64_t *order, int64_t order_count, int32_t mapped);
int32_t shale_shards_set_global(int64_t index, int32_t global);

/* Adds rows under labels or, where they are NULL, under those that follow the number of rows added so far. */
int32_t shale_add(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim, const uint64_t *labels,
	int32_t threads, int32_t replace_deleted, void *watch);
/* What to search for. */
struct shale_query {
	int64_t index;
	const void *rows;
	int64_t type, count, dim; /* of rows */
	int64_t k, ef, threads;
	const int64_t *filters; /* none, one for all queries, or one for each; a filter 0 allows all */
	int64_t filter_count;
	int64_t partial; /* rows with fewer results are filled up with label 2^64 - 1 and +inf, in place of SHALE_FEW; of shards
	                  * they always are */
	uint64_t *labels; /* k a query, nearest first */
	float *distances; /* likewise */
	/* 0; or the three arrays are given as NumPy's PyArrayObject, in which the address of the elements lies so many bytes
	 * from the start. Finding it in Python takes longer than the search of a small index. */
	int64_t head;
	const uint32_t *parts; /* shards to search */
	int64_t part_count; /* less than 0: all */
};
int32_t shale_search(const struct shale_query *query, void *watch);
/* The stored vectors of labels, dim values each. */
int32_t shale_vectors(int64_t index, const uint64_t *labels, int64_t count, float *vectors);
/* All labels. count: in, the room there is; out, the number of labels, which may be more. */
int32_t shale_labels(int64_t index, uint64_t *labels, int64_t *count);
int32_t shale_stat(int64_t index, int64_t *fields);
/* Makes labels of rows that have none count on from at least next. */
int32_t shale_count_from(int64_t index, uint64_t next);
/* hnswlib's file of the index, which appears whole or not at all. */
int32_t shale_save(int64_t index, const char *path, void *watch);

/* Filters: labels that may be returned. A mask is a byte a label and is kept by address; the others are copied. */
int32_t shale_filter_labels(const uint64_t *labels, int64_t count, int64_t *filter);
/* Every step-th label from first on, up to last. */
int32_t shale_filter_range(uint64_t first, uint64_t last, uint64_t step, int64_t *filter);
int32_t shale_filter_mask(const char *mask, int64_t size, int64_t *filter);
/* A bitmap in Roaring's portable format, of 32 or 64 bits. */
int32_t shale_filter_roaring(const char *bytes, int64_t size, int32_t bits, int64_t *filter);
/* allow leaves 1 or 0 in answer; where it leaves it as it is, since it failed, the search ends with SHALE_CANCELLED. Each
 * label is asked for once a filter. */
int32_t shale_filter_callback(void (*allow)(uint64_t label), int32_t *answer, int64_t *filter);

/* Frees the object that a handle names, once the searches under way have ended, and sets the handle to 0, for which it does
 * nothing. */
int32_t shale_close(int64_t *object);

#endif
