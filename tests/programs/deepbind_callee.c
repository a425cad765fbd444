// A library that is opened with RTLD_DEEPBIND: its malloc and free are libc's, past every preload.
#include <stdlib.h>

void *give(size_t size)
{
	return malloc(size);
}

void *resize(void *block, size_t size)
{
	return realloc(block, size);
}

void take(void *block)
{
	free(block);
}
