/* A library that Python calls by ctypes. Build with -shared -fPIC. */
#include <stdlib.h>

void *kept;

void leak(size_t size)
{
    kept = malloc(size);
}

void call_back(void (*back)(size_t), size_t size)
{
    back(size);
    kept = NULL;
}
