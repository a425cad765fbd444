// Threads that allocate, resize and free each other's blocks by every function there is, with forks in
// between, and an account of what lives. Every process writes its account to account.<pid> when it is
// quiet: the range of the code that allocates first, then a line for each live block.
//
// ground_truth [threads [largest size]]; the default is made for seconds, with a block of up to 64 MiB
// now and then.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 3000
#define LOCKS 64
#define MOST_THREADS 64
#define STEPS 30000
#define CHILDREN 3
#define TRACKED __attribute__((noinline, section("tracked")))

// Forms of operator new come behind those of C, which free and realloc take.
#define C_FORMS 9
#define FORMS 17

extern "C" char __start_tracked[], __stop_tracked[];

static const std::align_val_t WIDE{256};

static struct slot {
	void *block;
	size_t size;
	unsigned form;
	int used;
} slots[SLOTS];
static int threads_at_once = 4;
static size_t largest = 300000;
static pthread_mutex_t locks[LOCKS];
// Readers change slots; the writer forks, so that no child inherits half a change.
static pthread_rwlock_t quiet = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL >> 16;
}

static size_t random_size(uint64_t *rng)
{
	uint64_t kind = next_random(rng) % 1000;
	size_t limit = kind < 30 ? 1 : kind < 800 ? 300 : kind < 980 ? 9000 : kind < 999 ? largest : (64 << 20) + 1;
	return next_random(rng) % limit;
}

TRACKED static void *allocate(unsigned form, size_t size)
{
	void *block = nullptr;
	switch (form) {
	case 0: return malloc(size);
	case 1: return calloc(1, size);
	case 2: return realloc(nullptr, size);
	case 3: return reallocarray(nullptr, size, 1);
	case 4: return memalign(64, size);
	case 5: return aligned_alloc(4096, size);
	case 6: return posix_memalign(&block, 32, size) ? nullptr : block;
	case 7: return valloc(size);
	case 8: return pvalloc(size);
	case 9: return ::operator new(size);
	case 10: return ::operator new[](size);
	case 11: return ::operator new(size, std::nothrow);
	case 12: return ::operator new[](size, std::nothrow);
	case 13: return ::operator new(size, WIDE);
	case 14: return ::operator new[](size, WIDE);
	case 15: return ::operator new(size, WIDE, std::nothrow);
	default: return ::operator new[](size, WIDE, std::nothrow);
	}
}

static void release(const slot &slot, bool by_size)
{
	void *block = slot.block;
	if (slot.form < C_FORMS)
		return free(block);
	bool is_array = slot.form % 2 == 0, is_wide = slot.form >= 13;
	if (is_wide && is_array)
		return by_size ? ::operator delete[](block, slot.size, WIDE) : ::operator delete[](block, WIDE);
	if (is_wide)
		return by_size ? ::operator delete(block, slot.size, WIDE) : ::operator delete(block, WIDE);
	if (is_array)
		return by_size ? ::operator delete[](block, slot.size) : ::operator delete[](block);
	return by_size ? ::operator delete(block, slot.size) : ::operator delete(block);
}

TRACKED static void *resize(void *block, size_t size, bool as_array)
{
	void *moved = as_array ? reallocarray(block, size, 1) : realloc(block, size);
	return moved;
}

static void step(struct slot *slot, uint64_t *rng)
{
	unsigned kind = next_random(rng);
	size_t size = random_size(rng);
	if (!slot->used) {
		unsigned form = kind % FORMS;
		*slot = {allocate(form, size), size, form, 1};
	} else if (kind % 3 == 0 && slot->form < C_FORMS) {
		if (kind % 2 && resize(slot->block, PTRDIFF_MAX - size, false))
			abort();
		*slot = {resize(slot->block, size + 1, kind % 4 == 0), size + 1, 0, 1};
	} else {
		release(*slot, kind % 2);
		*slot = {};
	}
	if (slot->used && !slot->block)
		abort();
}

static void *work(void *seed)
{
	uint64_t rng = (uintptr_t)seed * 0x9e3779b97f4a7c15ULL + 1;
	for (int i = 0; i < STEPS; i++) {
		size_t at = next_random(&rng) % SLOTS;
		pthread_rwlock_rdlock(&quiet);
		pthread_mutex_lock(&locks[at % LOCKS]);
		step(&slots[at], &rng);
		pthread_mutex_unlock(&locks[at % LOCKS]);
		pthread_rwlock_unlock(&quiet);
	}
	return nullptr;
}

// Threads end and others take their places, and their thread's memory.
static void work_in_threads(int rounds, uintptr_t seed)
{
	pthread_t threads[MOST_THREADS];
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < threads_at_once; i++)
			pthread_create(&threads[i], nullptr, work, (void *)(seed + round * threads_at_once + i));
		for (int i = 0; i < threads_at_once; i++)
			pthread_join(threads[i], nullptr);
	}
}

// The size that malloc was asked for: pvalloc's is in whole pages, and libstdc++'s operator new asks for at
// least a byte and, in its aligned forms, for a multiple of the alignment.
static size_t counted_size(const slot &slot)
{
	size_t unit = slot.form == 8 ? 4096 : slot.form >= 13 ? (size_t)WIDE : 1;
	size_t size = slot.form >= C_FORMS && slot.size == 0 ? 1 : slot.size;
	return (size + unit - 1) / unit * unit;
}

static void write_account(void)
{
	char name[32];
	snprintf(name, sizeof name, "account.%d", getpid());
	FILE *file = fopen(name, "w");
	fprintf(file, "tracked=%p-%p\n", (void *)__start_tracked, (void *)__stop_tracked);
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].used)
			fprintf(file, "%p %zu\n", slots[i].block, counted_size(slots[i]));
	fclose(file);
}

static void *fork_meanwhile(void *)
{
	for (int i = 0; i < CHILDREN; i++) {
		usleep(20000);
		pthread_rwlock_wrlock(&quiet);
		pid_t child = fork();
		if (child == 0) {
			// The copy still counts the threads that waited for it.
			quiet = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
			work((void *)(uintptr_t)(100 + i));
			work_in_threads(1, 200 + 10 * i);
			write_account();
			exit(0);
		}
		pthread_rwlock_unlock(&quiet);
		int status = -1;
		if (child < 0 || waitpid(child, &status, 0) < 0 || status)
			abort();
	}
	return nullptr;
}

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0 && atoi(argv[1]) <= MOST_THREADS)
		threads_at_once = atoi(argv[1]);
	if (argc > 2)
		largest = strtoul(argv[2], nullptr, 0);
	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&locks[i], nullptr);
	pthread_t forker;
	pthread_create(&forker, nullptr, fork_meanwhile, nullptr);
	work_in_threads(3, 1);
	pthread_join(forker, nullptr);
	write_account();
	return 0;
}
