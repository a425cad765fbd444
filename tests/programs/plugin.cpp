// What dlstorm.cpp loads and unloads: allocates below frames that soon are not there any more, and
// throws through them.
#include <cstdlib>
#include <stdexcept>
#include <vector>

extern "C" void *plugin_allocate(std::size_t size)
{
	std::vector<char> room(size / 2);
	return std::malloc(size + room.size() % 2);
}

extern "C" void plugin_throw(int depth)
{
	std::vector<int> room(depth + 1);
	if (depth == 0)
		throw std::runtime_error("from a library that comes and goes");
	plugin_throw(depth - 1);
}
