// Has one thread, and counts after every allocation how many it has.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int threads(void)
{
	char text[4096];
	int file = open("/proc/self/status", O_RDONLY);
	ssize_t length = read(file, text, sizeof text - 1);
	close(file);
	text[length > 0 ? length : 0] = 0;
	char *line = strstr(text, "Threads:");
	return line ? atoi(line + 8) : -1;
}

int main(void)
{
	int most = threads();
	for (int i = 0; i < 2000; i++) {
		void *volatile block = malloc(50000);
		int now = threads();
		most = now > most ? now : most;
		if (i % 2)
			free(block);
	}
	printf("threads=%d\n", most);
	return 0;
}
