// Allocates and frees where a thread ends: in destructors of thread_local objects and of pthread keys,
// which are called again while they leave a value.
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <vector>

namespace {

pthread_key_t key;

struct Late {
	std::vector<char *> blocks;
	~Late()
	{
		for (char *block : blocks)
			std::free(block);
		for (int i = 0; i < 50; i++) {
			void *volatile block = std::malloc(i * 300);
			std::free(block);
		}
	}
};

thread_local Late late;

void end_key(void *value)
{
	auto *left = static_cast<int *>(value);
	int again = *left - 1;
	std::free(left);
	if (again > 0) {
		left = static_cast<int *>(std::malloc(20000));
		*left = again;
		pthread_setspecific(key, left);
	}
}

void *work(void *unused)
{
	auto *left = static_cast<int *>(std::malloc(20000));
	*left = 3;
	pthread_setspecific(key, left);
	for (int i = 0; i < 50; i++)
		late.blocks.push_back(static_cast<char *>(std::malloc(1000)));
	return unused;
}

} // namespace

int main()
{
	pthread_t threads[4];
	pthread_key_create(&key, end_key);
	for (int i = 0; i < 100; i++) {
		for (auto &thread : threads)
			pthread_create(&thread, nullptr, work, nullptr);
		for (auto &thread : threads)
			pthread_join(thread, nullptr);
	}
	std::puts("end");
}
