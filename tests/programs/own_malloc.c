// A program that brings its own malloc: no preloaded one is ever asked.
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static _Alignas(16) char memory[8 << 20];
static size_t used;
static size_t calls;

void *malloc(size_t size)
{
	size_t need = (size + 31) / 16 * 16;
	size_t start = __atomic_fetch_add(&used, need, __ATOMIC_RELAXED);
	__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
	if (need < size || start + need > sizeof memory)
		return NULL;
	memcpy(memory + start, &size, sizeof size);
	return memory + start + 16;
}

void free(void *block)
{
	char *place = block;
	if (place && (place < memory || place >= memory + sizeof memory))
		__builtin_trap();
}

void *calloc(size_t number, size_t size)
{
	return malloc(number * size);
}

void *realloc(void *block, size_t size)
{
	void *fresh = malloc(size);
	size_t before = 0;
	if (block)
		memcpy(&before, (char *)block - 16, sizeof before);
	if (fresh && block)
		memcpy(fresh, block, before < size ? before : size);
	return fresh;
}

int main(void)
{
	for (int i = 0; i < 2000; i++)
		free(realloc(malloc(i), i + 10));
	char *text = strdup("from libc, by our malloc");
	printf("own=%d\n", text > memory && text < memory + sizeof memory && calls > 4000);
	free(text);
	return 0;
}
