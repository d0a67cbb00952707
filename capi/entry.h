/* What entry.c and the Go files know of each other. */
#ifndef SHALE_ENTRY_H
#define SHALE_ENTRY_H

#include <stdint.h>

/* Marks what callers of the library see. */
#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

typedef void (*shale_allow)(uint64_t label);

void shale_set_error(const char *text, int64_t size);
/* Whether allow allows label, by what it leaves in answer; less than 0 where it failed. */
int32_t shale_ask(shale_allow allow, uint64_t label, int32_t *answer);
/* SHALE_FORKED in a child of fork, where Go must not be called; else SHALE_OK. */
int32_t shale_refuse_if_forked(void);

#endif
