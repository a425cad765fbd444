// Three places that allocate: what one keeps is there before and after a dump in the middle, what
// another kept is given back behind it, what the third leaks comes behind it. Arguments: MiB of each.
// With a fourth argument it asks for the dump in the middle by SIGUSR2 and waits for the file.
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 4096, MOST = 32768 };

static void *kept[3][MOST];

__attribute__((noinline)) static void steady(int at)
{
	kept[0][at] = malloc(BLOCK);
}

__attribute__((noinline)) static void returned(int at)
{
	kept[1][at] = malloc(BLOCK);
}

__attribute__((noinline)) static void leak(int at)
{
	kept[2][at] = malloc(BLOCK);
}

static int blocks(const char *mebibytes)
{
	int count = atoi(mebibytes) * (1 << 20) / BLOCK;
	return count < MOST ? count : MOST;
}

static void dump(void)
{
	glob_t found;
	raise(SIGUSR2);
	while (glob("dump.*.heap", 0, NULL, &found) != 0)
		usleep(10000);
	globfree(&found);
}

int main(int argc, char **argv)
{
	int counts[3];
	for (int i = 0; i < 3; i++)
		counts[i] = blocks(argv[i + 1]);
	for (int i = 0; i < counts[0]; i++)
		steady(i);
	for (int i = 0; i < counts[1]; i++)
		returned(i);
	if (argc > 4)
		dump();
	for (int i = 0; i < counts[1]; i++)
		free(kept[1][i]);
	for (int i = 0; i < counts[2]; i++)
		leak(i);
	return 0;
}
