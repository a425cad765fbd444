// Does what daemons do: goes to another directory, closes every descriptor it did not open, opens its
// own under the same numbers, and drops its name. Its own files must stay as it wrote them.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void *volatile kept;

int main(void)
{
	char text[4096];
	int file, files = 0;
	kept = malloc(1000000);
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	file = open("own", O_CREAT | O_RDWR | O_TRUNC, 0600);
	while (files++ < 40)
		dup(file);
	if (mkdir("below", 0700) || chdir("below"))
		puts("WRONG: chdir");
	umask(0777);
	prctl(PR_SET_NAME, "other");
	for (int i = 0; i < 3000; i++)
		kept = malloc(10000);
	if (lseek(file, 0, SEEK_END) != 0)
		puts("WRONG: somebody wrote into my file");
	memset(text, 'x', sizeof text);
	if (write(file, text, sizeof text) != sizeof text || lseek(file + 7, 0, SEEK_END) != sizeof text)
		puts("WRONG: my file");
	printf("lowest free descriptor %d\n", dup(file));
	return 0;
}
