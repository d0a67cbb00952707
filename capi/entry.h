/* What entry.c and the Go files know of each other. */
#ifndef SHALE_ENTRY_H
#define SHALE_ENTRY_H

#include <stdint.h>

typedef int32_t (*shale_allow)(uint64_t label);

void shale_set_error(const char *text, int64_t size);
int32_t shale_call_allow(shale_allow allow, uint64_t label);
/* SHALE_FORKED in a child of fork, where Go must not be called; else SHALE_OK. */
int32_t shale_refuse_if_forked(void);

#endif
