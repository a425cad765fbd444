// Blocks cross between a library that is bound past the preloaded hooks and a program that is not.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 64

int main(int count, char **arguments)
{
	static char *blocks[SLOTS];
	static size_t sizes[SLOTS];
	void *library = dlopen(arguments[count - 1], RTLD_NOW | RTLD_DEEPBIND);
	void *(*give)(size_t) = dlsym(library, "give");
	void *(*resize)(void *, size_t) = dlsym(library, "resize");
	void (*take)(void *) = dlsym(library, "take");
	for (unsigned i = 0; i < 200000; i++) {
		unsigned slot = i * 2654435761u >> 26;
		size_t size = i * 31 % 6000 + (i % 500 == 0 ? 200000 : 1);
		char *block = blocks[slot];
		if (block && (block[0] != (char)sizes[slot] || block[sizes[slot] - 1] != (char)sizes[slot]))
			puts("WRONG");
		if (i % 3 == 0)
			block = i % 2 ? realloc(block, size) : resize(block, size);
		else {
			(i % 5 ? free : take)(block);
			block = i % 2 ? malloc(size) : give(size);
		}
		memset(block, (char)size, size);
		blocks[slot] = block;
		sizes[slot] = size;
	}
	dlclose(library);
	puts("end");
	return 0;
}
