// Gives the triggers what they wait for: time, a signal, memory that grows; and the ends that a
// thread of the profiler must not be in the way of. The first argument says which.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void *kept[8192];
static int count;

__attribute__((noinline)) static void *culprit(size_t size)
{
	char *block = malloc(size);
	if (block)
		memset(block, 1, size);
	return block;
}

static void allocate(int mebibytes)
{
	for (int i = 0; i < mebibytes * 4 && count < 8192; i++)
		kept[count++] = culprit(256 << 10);
}

static void sleep_ms(long ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};
	while (nanosleep(&left, &left) == -1 && errno == EINTR)
		;
}

// Tasks of this process, and how many of them have another user than `uid`.
static int tasks(uid_t uid, int *others)
{
	DIR *directory = opendir("/proc/self/task");
	int found = 0;
	*others = 0;
	for (struct dirent *entry; (entry = readdir(directory));) {
		char path[300], line[200];
		unsigned real, effective;
		if (entry->d_name[0] == '.')
			continue;
		found++;
		snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
		FILE *status = fopen(path, "r");
		while (status && fgets(line, sizeof line, status))
			if (sscanf(line, "Uid:\t%u\t%u", &real, &effective) == 2 && (real != uid || effective != uid))
				++*others;
		if (status)
			fclose(status);
	}
	closedir(directory);
	return found;
}

// Threads of this process, without an allocation: one might be a sample.
static int threads(void)
{
	char text[4096] = "";
	int status = open("/proc/self/status", O_RDONLY);
	ssize_t length = read(status, text, sizeof text - 1);
	close(status);
	char *line = length > 0 ? strstr(text, "Threads:") : NULL;
	return line ? atoi(line + 8) : -1;
}

static volatile sig_atomic_t own_signals;

static void own_handler(int signal)
{
	(void)signal;
	own_signals++;
}

static void *brief(void *argument)
{
	sleep_ms(300);
	return argument;
}

static void signals(int number, int own)
{
	if (own)
		signal(number, own_handler);
	allocate(30);
	for (int i = 0; i < 3; i++) {
		errno = 4321;
		kill(getpid(), number);
		if (errno != 4321)
			puts("WRONG errno");
		sleep_ms(600);
	}
	printf("own=%d\n", (int)own_signals);
}

static void shrink_rights(void)
{
	int others;
	allocate(30);
	sleep_ms(300);
	printf("before=%d\n", tasks(0, &others));
	if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
		puts("WRONG setuid");
	// Nobody's threads are glibc's to reach; the thread notices by itself, within its longest nap.
	sleep_ms(2500);
	tasks(65534, &others);
	printf("others=%d\n", others);
	allocate(30);
	sleep_ms(1500);
	printf("again=%d\n", tasks(65534, &others));
	printf("others_again=%d\n", others);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int number = argc > 2 ? atoi(argv[2]) : 0;
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("culprit=%p\nbehind=%p\n", (void *)culprit, (void *)allocate);
	if (!strcmp(what, "idle")) {
		printf("early=%d\n", threads());
		allocate(30);
		sleep_ms(number);
		printf("tasks=%d\n", threads());
	} else if (!strcmp(what, "nothing")) {
		sleep_ms(number);
		printf("tasks=%d\n", threads());
	} else if (!strcmp(what, "signal")) {
		signals(number, 0);
	} else if (!strcmp(what, "own")) {
		signals(number, 1);
	} else if (!strcmp(what, "busy")) {
		// Signals from outside hit this program wherever it is, inside the profiler included.
		pid_t parent = getpid(), child = fork();
		if (child == 0) {
			for (int i = 0; i < 400; i++) {
				if (kill(parent, number))
					break;
				usleep(2000);
			}
			_exit(0);
		}
		long rounds = 0;
		while (waitpid(child, NULL, WNOHANG) == 0)
			for (int i = 0; i < 1000; i++, rounds++)
				free(culprit(1000));
		puts("end");
	} else if (!strcmp(what, "grow")) {
		for (;;) {
			allocate(1);
			sleep_ms(number);
		}
	} else if (!strcmp(what, "limited")) {
		struct rlimit limit = {256 << 20, 256 << 20};
		setrlimit(RLIMIT_AS, &limit);
		while (count < 8192 && (kept[count] = culprit(256 << 10))) {
			count++;
			sleep_ms(2);
		}
		puts("end");
	} else if (!strcmp(what, "fork")) {
		allocate(30);
		pid_t child = fork();
		allocate(30);
		sleep_ms(number);
		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
		printf("child=%d\n", child);
	} else if (!strcmp(what, "rights")) {
		shrink_rights();
	} else if (!strcmp(what, "chroot")) {
		// As daemons do: a root without /proc, then the rights of root given away.
		allocate(30);
		sleep_ms(300);
		printf("before=%d\n", threads());
		DIR *proc = opendir("/proc/self/task");
		char empty[] = "/tmp/malloscope-XXXXXX";
		if (!mkdtemp(empty) || chroot(empty) || chdir("/") || setgid(65534) || setuid(65534))
			puts("WRONG chroot");
		for (int i = 0; i < 10; i++) {
			sleep_ms(250);
			allocate(3);
		}
		rewinddir(proc);
		int after = 0;
		for (struct dirent *entry; (entry = readdir(proc));)
			after += entry->d_name[0] != '.';
		printf("after=%d\nempty=%s\n", after, empty);
	} else if (!strcmp(what, "last")) {
		pthread_t thread;
		allocate(30);
		pthread_create(&thread, NULL, brief, NULL);
		pthread_exit(NULL);
	} else if (!strcmp(what, "alone")) {
		allocate(30);
		sleep_ms(200);
		syscall(SYS_exit, 5);
	} else if (!strcmp(what, "pipe")) {
		// Who waits for the end of our output waits for every descriptor of it.
		allocate(30);
		sleep_ms(200);
		int null = open("/dev/null", O_RDWR);
		dup2(null, 0), dup2(null, 1), dup2(null, 2);
		sleep_ms(number);
	} else if (!strcmp(what, "namespace")) {
		allocate(30);
		sleep_ms(200);
		printf("errno=%d\n", unshare(CLONE_NEWUSER) ? errno : 0);
	}
	return 0;
}
