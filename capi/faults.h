/* What is done about handlers of signals: see faults_linux.c and handlers.c. */
#ifndef SHALE_FAULTS_H
#define SHALE_FAULTS_H

/* Notes Go's handlers, which are set by now. */
void shale_faults_begin(void);
/* From now on faults of mapped files may come. */
void shale_faults_expected(void);
/* Makes the handlers of signals that come to Go's threads run on their signal stacks: Python up to 3.9 sets them
 * without. */
void shale_handlers_on_stack(void);

#endif
