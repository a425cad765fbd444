// A library whose constructor is the first to allocate, through calls of the loader that allocate
// themselves: dlsym of what there is not, dlerror, backtrace. Compiled several times as NAME.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <stdlib.h>
#include <string.h>

static char *error, *block;

__attribute__((constructor)) static void construct(void)
{
	void *frames[16];
	dlsym(RTLD_NEXT, "a_function_that_nobody_defines");
	error = strdup(dlerror());
	block = malloc(200000);
	for (int i = 0; i < 300; i++)
		free(realloc(calloc(i, 100), backtrace(frames, 16) + 1000 * i));
}

__attribute__((destructor)) static void destruct(void)
{
	dlsym(RTLD_NEXT, "nor_this");
	free(error);
	error = strdup(dlerror());
	free(error);
	free(block);
}

int NAME(void)
{
	return error && block && strstr(error, "nobody_defines");
}
