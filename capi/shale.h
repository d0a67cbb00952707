/* The C interface of Shale: what the Python package calls.
 *
 * Every function returns a status. For anything but SHALE_OK and SHALE_RUNNING, shale_last_error() returns what was
 * wrong, to the thread that called. Arrays are passed by address and are neither copied nor kept, unless a function
 * says so; rows are C-contiguous. Objects are named by handles: indexes, filters, texts and progress. A handle that
 * names nothing, or nothing any more, gives SHALE_CLOSED; one of another kind of object SHALE_VALUE. All functions may
 * be called from many threads.
 *
 * There is one kind of index. What it is made of, a graph, a file, many shards or all its rows, is said when it is made
 * or opened; a function that an index has no use for gives SHALE_READ_ONLY or SHALE_VALUE. Options and reports are JSON
 * objects: capi/options.go lists the fields of options; a report is a text, which shale_text reads.
 *
 * A function that takes a watch works in the calling thread if watch is NULL. Otherwise watch is a callable object of
 * Python, and the caller holds Python's global lock: the function works in another thread, releases the lock meanwhile,
 * and calls watch about 20 times a second. Once watch or the handler of a signal raises, the work is cancelled, and the
 * function returns when it has ended; the exception is then the calling thread's. So nothing that was passed is read or
 * written after a function has returned, whatever is raised and whenever.
 *
 * In a child of fork() every function gives SHALE_FORKED: see shale_inheritance.
 */
#ifndef SHALE_H
#define SHALE_H

#include <stdint.h>

enum shale_status {
	SHALE_OK = 0,
	SHALE_RUNNING = 1,           /* within the library: a job goes on */
	SHALE_ERROR = 2,             /* it can't be done */
	SHALE_VALUE = 3,             /* an argument has a wrong value: NaN, a size */
	SHALE_CLOSED = 4,            /* the handle names no object */
	SHALE_FORKED = 5,            /* this process was forked from the one that loaded the library */
	SHALE_CANCELLED = 6,         /* the job was cancelled */
	SHALE_FEW = 7,               /* fewer results than asked for */
	SHALE_DIM = 8,               /* vectors of another length than the index's */
	SHALE_NO_LABEL = 9,          /* the index doesn't hold a label */
	SHALE_DELETED = 10,          /* a label is deleted already */
	SHALE_NOT_DELETED = 11,      /* a label isn't deleted */
	SHALE_FULL = 12,             /* the index has no room for more rows */
	SHALE_NO_REPLACING = 13,     /* the index was made without replace_deleted */
	SHALE_UPDATES_DELETED = 14,  /* a deleted label can't be added where deleted rows are replaced */
	SHALE_READ_ONLY = 15,        /* the index can't be changed */
	SHALE_DAMAGED = 16,          /* a file isn't an index, or is damaged */
	SHALE_NO_FILE = 17,
	SHALE_DENIED = 18,           /* the system refuses to read or write a file */
	SHALE_EXISTS = 19,           /* a file is there already and may not be replaced */
	SHALE_MEMORY = 20,           /* the memory allowed doesn't suffice */
	SHALE_RECALL = 21            /* no setting reaches the recall */
};

enum shale_type {
	SHALE_FLOAT32 = 0,
	SHALE_FLOAT16 = 1,
	SHALE_ATTACHED = 2 /* no rows: those attached to the index that follow the ones added so far */
};

/* In a child of fork(): what it inherits, as JSON; otherwise NULL. {"Last": handle, "Indexes": {handle: description}}.
 * A copy of the library that the child loads (from another file: the loader returns the same copy for the same file)
 * makes indexes of the descriptions; its own handles are to begin after the last one: 0 in a library that is loaded
 * first, which is to be called before others set handlers of SIGSEGV and SIGBUS. */
const char *shale_inheritance(void);
int32_t shale_inherit(const char *description, int64_t *index);
int32_t shale_handles_after(int64_t last);

/* Text of the calling thread's last error; valid until its next call. */
const char *shale_last_error(void);

/* Functions of Python's C interface by their addresses: the library isn't linked with them, so that it serves every
 * version. They must be passed before a function is called with a watch. */
struct shale_python {
	void *(*release)(void);                         /* PyEval_SaveThread */
	void (*acquire)(void *thread);                  /* PyEval_RestoreThread */
	int (*signals)(void);                           /* PyErr_CheckSignals */
	void *(*call)(void *callable, void *arguments); /* PyObject_CallObject */
	void (*drop)(void *object);                     /* Py_DecRef */
};
void shale_python_is(const struct shale_python *functions);
/* To be called before the interpreter ends: from then on no function of Python is called. A thread that the interpreter
 * ends while Go waits for its answer would end the process. */
void shale_python_ends(void);

/* Frees the object that a handle names, once the calls that use it have ended, and sets the handle to 0, for which it
 * does nothing. */
int32_t shale_close(int64_t *object);

/* Makes an empty index: see newOptions. */
int32_t shale_new(const char *options, int64_t *index);
/* Opens an index: see openOptions. */
int32_t shale_open(const char *path, const char *options, int64_t *index, void *watch);

/* Rows to build of: count rows of dim values at rows, or the file at path if rows is NULL. */
struct shale_source {
	const void *rows;
	int64_t type, count, dim;
	const char *path;
	/* NULL, or what tells the file from others that rows are mapped from, for reading only: a build that goes on knows it
	 * again, and returns pages that it has read to the system. Rows in memory are known by a sum of what they hold. */
	const char *id;
	const uint64_t *labels; /* one a row; NULL: 0, 1, … */
	int64_t label_count;
};

/* Builds an index at output or, if that is NULL, in memory, and opens it: see buildOptions. A build of several shards
 * that is cancelled leaves what it has done, and the next one goes on from there. */
int32_t shale_build(const struct shale_source *source, const char *output, const char *options, int64_t progress,
	int64_t *index, void *watch);
/* Reports what shale_build would do. */
int32_t shale_plan(const struct shale_source *source, const char *output, const char *options, int64_t *text);
/* Reads all of an index on disk, and reports what is wrong with it. */
int32_t shale_verify(const char *path, int64_t *text, void *watch);

/* Gives an external index its rows: row i is that of the i-th element, or of label i if labels are numbers of
 * rows. They are kept by address for the index's life, or until others are attached. mapped: they lie in a file, and
 * reading them may fail. */
int32_t shale_attach(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim, int32_t mapped);
/* Attaches codes of product quantization to shards, in place of rows: count x subvectors bytes, kept by address;
 * codebooks of subvectors x centroids x (dim / subvectors) values, copied. The code of row i is order[i]; NULL: i.
 * Distances are squared L2. */
int32_t shale_attach_pq(int64_t index, const uint8_t *codes, int64_t count, int64_t subvectors, const float *codebooks,
	int64_t centroids, const int64_t *order, int64_t order_count, int32_t mapped);
/* Says whether labels in the graphs of shards are those of the whole. */
int32_t shale_set_global(int64_t index, int32_t global);

/* Adds rows under labels; a label that is there gets the new row. assign: under labels that follow those given so far,
 * which are written to labels unless it is NULL. */
int32_t shale_add(int64_t index, const void *rows, int32_t type, int64_t count, int64_t dim,
	uint64_t *labels, int32_t assign,
	int64_t threads, int32_t replace_deleted, int64_t progress, void *watch);
/* Deletes labels, or brings deleted ones back. For SHALE_NO_LABEL, SHALE_DELETED and SHALE_NOT_DELETED those for which
 * it can be done are changed all the same. ignore_missing: labels that aren't there, or are deleted already, are no
 * error. */
int32_t shale_mark(int64_t index, const uint64_t *labels, int64_t count, int32_t deleted, int32_t ignore_missing);
/* Takes deleted rows out. Changes wait meanwhile, searches go on. */
int32_t shale_compact(int64_t index, int64_t threads, void *watch);
/* Changes the capacity, to no less than the count. */
int32_t shale_resize(int64_t index, int64_t capacity);
/* Makes labels of rows that have none count on from at least next. */
int32_t shale_count_from(int64_t index, uint64_t next);

/* What to search for. 0 means the index's own setting, and as many threads as there are processors. */
struct shale_query {
	int64_t index;
	const void *rows;
	int64_t type, count, dim; /* of rows */
	int64_t k, ef, rerank, probes, threads;
	double slack, share;
	const int64_t *filters; /* none, one for all queries, or one for each; a filter 0 allows all */
	int64_t filter_count;
	int64_t partial; /* rows with fewer results are filled up with label 2^64 - 1 and +inf, in place of SHALE_FEW */
	uint64_t *labels; /* k a query, nearest first */
	float *distances; /* likewise */
	/* 0; or the three arrays are passed as NumPy's PyArrayObject, in which the address of the elements is at this offset.
	 * To find it in Python takes longer than the search of a small index. */
	int64_t head;
	const uint32_t *parts; /* numbers of the shards to search */
	int64_t part_count;    /* less than 0: as probes and share say */
};
int32_t shale_search(const struct shale_query *query, void *watch);
/* Finds all vectors within a radius, a distance of the index's metric, of each query: at most k, the nearest of them,
 * unless k is 0. What is found is an object, which shale_found reads; labels and distances aren't used. */
int32_t shale_range(const struct shale_query *query, double radius, int64_t *found, void *watch);
/* Query q found labels and distances from offsets[q] to offsets[q + 1], nearest first. count: in, the room there is in
 * labels and distances, for 0 of which none of the arrays is written to; out, the number of them, which may be more. */
int32_t shale_found(int64_t found, int64_t *offsets, uint64_t *labels, float *distances, int64_t *count);

/* Writes the stored vectors of labels, dim values each. Of an index that can't be changed all rows are read. */
int32_t shale_vectors(int64_t index, const uint64_t *labels, int64_t count, float *vectors);
/* Writes the labels that a search may find, or with deleted all of them. count: in, the room there is; out, the number
 * of labels, which may be more. */
int32_t shale_labels(int64_t index, int32_t deleted, uint64_t *labels, int64_t *count);
/* Writes 1 or 0 for each label: whether a search may find it. */
int32_t shale_contains(int64_t index, const uint64_t *labels, int64_t count, uint8_t *found);

/* Numbers that are at hand at any time. */
struct shale_stat {
	int64_t capacity;
	int64_t count;   /* rows, those deleted included */
	int64_t deleted;
	int64_t dim;
	int64_t m, ef_construction;
	int64_t replacing;  /* new rows may take the places of deleted ones */
	int64_t external;   /* the vectors lie elsewhere, and are attached */
	int64_t changeable; /* rows can be added and deleted */
	int64_t next;       /* the next row's default label, where labels count the rows added; see shale_count_from */
};
int32_t shale_stat(int64_t index, struct shale_stat *stat);
/* Describes the index. */
int32_t shale_info(int64_t index, int64_t *text);

/* What to tune for. */
struct shale_tuning {
	int64_t index;
	const void *rows; /* queries */
	int64_t type, count, dim, k;
	const uint64_t *truth; /* truth_k true neighbours a query, nearest first; NULL: found by comparing all vectors */
	int64_t truth_k, max_ef, threads; /* 0: no bound; all processors */
	double recall;
};
/* Finds the fastest settings that reach a recall; searches that name no ef use them from then on. */
int32_t shale_tune(const struct shale_tuning *tuning, int64_t *text, void *watch);

/* Writes the index, which appears whole or not at all: see saveOptions. */
int32_t shale_save(int64_t index, const char *path, const char *options, void *watch);
/* The bytes of hnswlib's index.bin of the index. */
int32_t shale_file_size(int64_t index, int64_t *size);
/* The parts of hnswlib's index.bin: header (96 bytes), level 0, the upper lists without their lengths, and each
 * element's level. Sizes: in, the room there is; out, what there is, which may be more: then the arrays hold only the
 * start. */
int32_t shale_export(int64_t index, char *header, char *level0, int64_t *level0_size, int32_t *levels, int64_t *count,
	char *lists, int64_t *lists_size);
/* An index of the parts that shale_export writes: see newOptions. */
int32_t shale_import(const char *options, const char *header, const char *level0,
	int64_t level0_size, const int32_t *levels,
	const char *lists, int64_t lists_size, int64_t *index);

/* Directories of shards of hnswlib-mmap: builds one shard of rows, whose first has the number start in the whole. */
int32_t shale_shard_build(const void *rows, int32_t type, int64_t count, int64_t dim,
	const char *dir, const char *options,
	int64_t number, int64_t start, void *watch);
/* Writes index.meta. */
int32_t shale_shards_describe(const char *dir, const char *options, int64_t shards, int64_t total);

/* Filters: labels that may be returned. A mask is a byte a label and is kept by address; the others are copied. */
int32_t shale_filter_labels(const uint64_t *labels, int64_t count, int64_t *filter);
/* Every step-th label from first on, up to last. */
int32_t shale_filter_range(uint64_t first, uint64_t last, uint64_t step, int64_t *filter);
int32_t shale_filter_mask(const char *mask, int64_t size, int64_t *filter);
/* A bitmap in Roaring's portable format, of 32 or 64 bits. */
int32_t shale_filter_roaring(const char *bytes, int64_t size, int32_t bits, int64_t *filter);
/* allow leaves 1 or 0 in answer; if it leaves it as it is, since it failed, the search ends with SHALE_CANCELLED. It is
 * asked once for each label. */
int32_t shale_filter_callback(void (*allow)(uint64_t label), int32_t *answer, int64_t *filter);

/* Collections: documents in a directory. */
int32_t shale_collection_create(const char *dir, const char *schema);
int32_t shale_collection_open(const char *dir, const char *options, int64_t *collection, void *watch);
/* Reads all of a collection that nobody has open, and checks it. */
int32_t shale_collection_verify(const char *dir, int64_t *text, void *watch);
/* Makes a collection of a snapshot, which is checked, at dir, where nothing may be. */
int32_t shale_collection_restore(const char *snapshot, const char *dir, void *watch);

/* Rows of one of the vectors that documents have, or queries. */
struct shale_rows {
	const char *name;
	const void *rows;
	int64_t type, count, dim;
	const int64_t *places; /* of the documents they belong to; NULL: row i is that of document i */
};
/* Does one of the operations of capi/operations.go, which says what arguments they take and what they answer. rows are
 * those that the operation takes. answer is a text, or stays 0; shale_answer_vectors reads the vectors that it speaks
 * of. */
int32_t shale_collection_do(int64_t collection, const char *operation, const char *arguments,
	const struct shale_rows *rows, int64_t row_count, int64_t *answer, void *watch);
/* The vectors of an answer, one after another. count: in, the room there is; out, the number of values, which may be
 * more. */
int32_t shale_answer_vectors(int64_t answer, float *rows, int64_t *count);

/* The bytes of a text. size: in, the room there is; out, the text's, which may be more. */
int32_t shale_text(int64_t text, char *bytes, int64_t *size);

/* How far a build or an addition is: the step's name, cut to size with the zero that ends it, and how much of it is
 * done; total is 0 if that isn't known. */
int32_t shale_progress_new(int64_t *progress);
int32_t shale_progress(int64_t progress, char *step, int64_t size, int64_t *done, int64_t *total);

#endif
