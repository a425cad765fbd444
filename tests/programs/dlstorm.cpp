// Threads load and unload a library, allocate and throw through its code, while others allocate and
// fork. Whoever takes the loader's lock in the middle of malloc, or steps through unloaded code, shows it.
//
// dlstorm LIBRARY [milliseconds [threads that load]]
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

static std::atomic<bool> stop;
static std::atomic<long> loads, throws;

static void load_and_unload(const char *path)
{
	std::vector<void *> blocks;
	while (!stop) {
		void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!library) {
			std::printf("WRONG: %s\n", dlerror());
			std::exit(1);
		}
		auto allocate = reinterpret_cast<void *(*)(std::size_t)>(dlsym(library, "plugin_allocate"));
		auto fail = reinterpret_cast<void (*)(int)>(dlsym(library, "plugin_throw"));
		for (int i = 0; i < 50; i++)
			blocks.push_back(allocate(100 * i));
		try {
			fail(5);
		} catch (const std::runtime_error &) {
			throws++;
		}
		dlclose(library);
		for (void *block : blocks)
			std::free(block);
		blocks.clear();
		loads++;
	}
}

static void allocate()
{
	while (!stop) {
		std::vector<std::string> strings;
		for (int i = 0; i < 300; i++)
			strings.push_back(std::string(i * 7, 'x'));
		try {
			throw std::logic_error(strings.back());
		} catch (const std::exception &) {
			throws++;
		}
	}
}

static void fork_now_and_then()
{
	while (!stop) {
		pid_t child = fork();
		if (child == 0) {
			std::vector<char> room(100000);
			_exit(room[0]);
		}
		int status = -1;
		if (waitpid(child, &status, 0) != child || status) {
			std::printf("WRONG: status %x of a child\n", status);
			std::exit(1);
		}
		usleep(5000);
	}
}

int main(int argc, char **argv)
{
	int milliseconds = argc > 2 ? std::atoi(argv[2]) : 2000;
	int loaders = argc > 3 ? std::atoi(argv[3]) : 4;
	std::vector<std::thread> threads;
	for (int i = 0; i < loaders; i++)
		threads.emplace_back(load_and_unload, argv[1]);
	threads.emplace_back(allocate);
	threads.emplace_back(fork_now_and_then);
	std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
	stop = true;
	for (auto &thread : threads)
		thread.join();
	std::printf("loads=%ld\nthrows=%ld\n", loads.load(), throws.load());
}
