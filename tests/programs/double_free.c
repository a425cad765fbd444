// Frees a block twice, or what was never allocated, by the argument.
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	static char own[64] __attribute__((aligned(16)));
	char *volatile block = malloc(40);
	if (argc < 2)
		return 2;
	if (!strcmp(argv[1], "twice")) {
		free(block);
		free(block);
	} else if (!strcmp(argv[1], "inside")) {
		free(block + 16);
	} else if (!strcmp(argv[1], "foreign")) {
		block = own + 16;
		free(block);
	}
	return 0;
}
