// Leaks, then goes into a seccomp sandbox where whoever makes another call than an allocator does is
// killed, and goes on with all that the library hooks: sandbox HOW [ask | threads | fork]
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define IF(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define ADMIT BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define CALL(name) IF(SYS_##name, 0, 1), ADMIT

enum { BLOCKS = 400, SIZE = 20000 };

static char *kept[BLOCKS];
static volatile int is_sandboxed;
static int under_way;

__attribute__((noinline)) static void leak(void)
{
	for (int i = 0; i < BLOCKS; i++)
		kept[i] = malloc(SIZE);
}

// What an allocator does, and how a process ends; mappings with the flags that glibc uses.
#define ALLOCATOR \
	NUMBER, CALL(read), CALL(write), CALL(exit), CALL(exit_group), CALL(brk), CALL(munmap), CALL(mremap), \
		CALL(mprotect), CALL(rt_sigreturn)

static struct sock_filter allocators_rules[] = {
	ALLOCATOR,
	IF(SYS_mmap, 0, 3),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
	IF(MAP_PRIVATE | MAP_ANONYMOUS, 0, 1),
	ADMIT,
	KILL,
};

// The same for threads, which wait for each other's arenas.
static struct sock_filter threads_rules[] = {ALLOCATOR, CALL(mmap), CALL(futex), KILL};

// The same for a process that forks, and waits for its child.
static struct sock_filter forking_rules[] = {
	ALLOCATOR, CALL(mmap), CALL(clone), CALL(set_robust_list), CALL(wait4), CALL(rseq), KILL,
};

// Nothing that we do is forbidden.
static struct sock_filter mild_rules[] = {
	NUMBER, IF(SYS_execve, 2, 0), IF(SYS_ptrace, 1, 0), ADMIT, KILL,
};

// What a dump cannot do without.
static struct sock_filter dumps_rules[] = {
	NUMBER, IF(SYS_clone, 4, 0), IF(SYS_rt_sigpending, 3, 0), IF(SYS_fsync, 2, 0), IF(SYS_renameat2, 1, 0), ADMIT,
	KILL,
};

#define FILTER(rules) ((struct sock_fprog){sizeof(rules) / sizeof *(rules), rules})

static struct sock_fprog filter_for(const char *how, const char *what)
{
	if (!strcmp(how, "mild"))
		return FILTER(mild_rules);
	if (!strcmp(how, "directly"))
		return FILTER(dumps_rules);
	if (!strcmp(what, "threads"))
		return FILTER(threads_rules);
	if (!strcmp(what, "fork"))
		return FILTER(forking_rules);
	return FILTER(allocators_rules);
}

static void say(const char *text)
{
	if (write(1, text, strlen(text)) < 0)
		_exit(9);
}

static void expect(long result, int error, const char *what)
{
	if (result != -1 || errno != error) {
		say("WRONG: ");
		say(what);
		say("\n");
	}
	errno = 0;
}

// By an instruction of its own, as programs do that have no libc.
static long directly(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"(a), "S"(b), "d"(c)
	                 : "rcx", "r11", "memory");
	return result;
}

static long enter(const char *how, struct sock_fprog *filter)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	errno = 1234;
	if (!strcmp(how, "strict"))
		return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	if (!strcmp(how, "seccomp"))
		return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter);
	if (!strcmp(how, "everyone"))
		return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, filter);
	if (!strcmp(how, "syscall"))
		return syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter);
}

// Programs ask like this whether there are filters, or get them wrong.
static void ask_in_vain(void)
{
	struct sock_filter broken = BPF_STMT(BPF_ST, 99);
	struct sock_fprog filter = {1, &broken};
	expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0), EFAULT, "prctl of null");
	expect(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT, "seccomp of null");
	expect(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8L), EFAULT, "seccomp of nothing");
	expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), EINVAL, "a broken filter");
	expect(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1 << 30, &filter), EINVAL, "flags");
	expect(prctl(-1, 0, 0, 0, 0), EINVAL, "prctl of nothing");
	expect(syscall(-1L), ENOSYS, "syscall of nothing");
	char name[16] = "";
	char *mapped = (char *)syscall(SYS_mmap, NULL, 4096L, (long)PROT_READ | PROT_WRITE,
	                               (long)MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0L);
	if (prctl(PR_SET_NAME, "sandbox") || syscall(SYS_prctl, PR_GET_NAME, name) || strcmp(name, "sandbox") ||
	    mapped == MAP_FAILED || (mapped[4095] = 1) != 1)
		say("WRONG: a call that is passed on\n");
}

static void churn(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		char *volatile block = malloc(i % 97 * 311);
		block = realloc(block, i % 89 * 401 + 1);
		char *volatile other = aligned_alloc(4096, 4096);
		free(block);
		block = calloc(i % 7, 2000);
		free(block);
		free(other);
	}
}

static void *run(void *unused)
{
	churn(100);
	__atomic_fetch_add(&under_way, 1, __ATOMIC_SEQ_CST);
	while (!is_sandboxed)
		churn(10);
	churn(2000);
	// Its end would be more calls.
	for (;;)
		;
	return unused;
}

static void use_all(void)
{
	churn(3000);
	for (int i = 0; i < BLOCKS; i++) {
		if (i % 4 == 0)
			kept[i] = realloc(kept[i], SIZE + 100);
		else if (i % 2 == 0 && malloc_usable_size(kept[i]) >= SIZE)
			free(kept[i]);
	}
	leak();
	void *volatile large = malloc(3 << 20);
	large = realloc(large, 5 << 20);
	free(large);
	void *mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mapped = mremap(mapped, 1 << 20, 2 << 20, MREMAP_MAYMOVE);
	munmap(mapped, 2 << 20);
	sbrk(4096);
}

// In a child: its parent goes on.
static int enter_in_child(const char *how, struct sock_fprog *filter)
{
	int status = 0, is_vfork = !strcmp(how, "vfork");
	pid_t child = is_vfork ? vfork() : fork();
	if (child == 0) {
		if (enter("prctl", filter))
			_exit(3);
		if (!is_vfork)
			use_all();
		_exit(0);
	}
	waitpid(child, &status, 0);
	printf("status=%d\n", status);
	leak();
	return 0;
}

// Past libc; then nothing, until the library's own thread has seen it.
static void enter_directly(struct sock_fprog *filter)
{
	struct stat tasks;
	if (stat("/proc/self/task", &tasks) || tasks.st_nlink != 4)
		say("WRONG: there should be a thread\n");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (directly(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)filter))
		say("WRONG: no filter\n");
	while (!stat("/proc/self/task", &tasks) && tasks.st_nlink > 3)
		usleep(10000);
}

static void fork_again(void)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		use_all();
		say("child\n");
		exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		say("WRONG: the child\n");
}

static void start_threads(void)
{
	pthread_t thread;
	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, run, NULL);
	// Each has an arena of its own then, which is made by other calls.
	while (__atomic_load_n(&under_way, __ATOMIC_SEQ_CST) < 3)
		usleep(1000);
}

int main(int count, char **arguments)
{
	const char *how = arguments[1], *what = count > 2 ? arguments[2] : "";
	struct sock_fprog filter = filter_for(how, what);
	printf("leak=%#lx\nbehind=%#lx\nleaked=%d\n", (long)leak, (long)enter, BLOCKS * SIZE);
	fflush(stdout);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	leak();
	if (!strcmp(what, "ask"))
		ask_in_vain();
	if (!strcmp(what, "threads"))
		start_threads();
	if (!strcmp(how, "child") || !strcmp(how, "vfork"))
		return enter_in_child(how, &filter);
	if (!strcmp(how, "directly"))
		enter_directly(&filter);
	else if (strcmp(how, "none") && (enter(how, &filter) || errno != 1234))
		say("WRONG: no filter, or another errno\n");
	is_sandboxed = 1;
	if (!strcmp(how, "strict")) {
		for (int i = 0; i < BLOCKS; i += 2)
			free(kept[i]);
		say("end\n");
		syscall(SYS_exit, 0);
	}
	use_all();
	if (!strcmp(what, "fork"))
		fork_again();
	say("end\n");
	exit(0);
}
