/* See faults.c. */
#ifndef SHALE_FAULTS_H
#define SHALE_FAULTS_H

/* Notes Go's handlers, which are set by now. */
void shale_faults_begin(void);
/* From now on faults of mapped files may come. */
void shale_faults_expected(void);

#endif
