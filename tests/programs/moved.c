// Loses the place where its dumps go, then goes on allocating.
//
// moved.c rename|nofile|chroot|chdir
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int lose(const char *how)
{
	struct rlimit none = {0, 0};
	if (!strcmp(how, "rename"))
		return rename("place", "elsewhere");
	if (!strcmp(how, "nofile"))
		return setrlimit(RLIMIT_NOFILE, &none);
	if (mkdir("below", 0700))
		return -1;
	return !strcmp(how, "chroot") ? chroot("below") || chdir("/") : chdir("below");
}

static void churn(void)
{
	for (int i = 0; i < 500; i++) {
		void *volatile block = malloc(100000);
		free(block);
	}
}

int main(int argc, char **argv)
{
	churn();
	if (argc < 2 || lose(argv[1]))
		return 1;
	churn();
	void *volatile kept = malloc(3000000);
	puts("end");
	return kept == NULL;
}
