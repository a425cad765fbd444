// Root gives its rights away while another thread makes dumps: no thread may keep them.
//
// credentials.c uid|gid
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *churn(void *unused)
{
	for (;;) {
		void *volatile block = malloc(100000);
		free(block);
	}
	return unused;
}

static int keeps_rights(const char *thread, const char *line_start)
{
	char name[300], line[300];
	int found = 0;
	snprintf(name, sizeof name, "/proc/self/task/%s/status", thread);
	FILE *status = fopen(name, "r");
	if (!status)
		return 0;
	while (fgets(line, sizeof line, status))
		found |= !strncmp(line, line_start, strlen(line_start));
	fclose(status);
	return found;
}

int main(int argc, char **argv)
{
	int group = argc > 1 && !strcmp(argv[1], "gid"), privileged = 0;
	pthread_t thread;
	for (int i = 0; i < 5000; i++) {
		void *volatile kept = malloc(3000 + i);
		(void)kept;
	}
	pthread_create(&thread, NULL, churn, NULL);
	usleep(20000);
	if (group ? setgid(65534) : setuid(65534))
		puts("WRONG: refused");
	// The dump that was on its way may still be ending.
	usleep(300000);
	for (int i = 0; i < 100; i++) {
		DIR *threads = opendir("/proc/self/task");
		for (struct dirent *entry; (entry = readdir(threads));)
			if (entry->d_name[0] != '.')
				privileged += keeps_rights(entry->d_name, group ? "Gid:\t0" : "Uid:\t0");
		closedir(threads);
	}
	printf("privileged=%d\n", privileged);
	fflush(stdout);
	_exit(0);
}
