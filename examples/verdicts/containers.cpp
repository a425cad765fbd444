// Containers that are never emptied: `containers NAME SECONDS`, two or three megabytes a second each.
//
//   map       a std::map at file scope: its destructor frees it when the program ends
//   vector    a std::vector that push_back moves to a block twice as large whenever it is full
//   buffers   two hundred buffers that realloc makes longer, a kilobyte at a time
//
// At the end it says what was really live.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

static std::map<long, std::string> sessions;
static std::vector<double> history;

struct Buffer {
    char *text;
    size_t length;
};
static Buffer replies[200];

__attribute__((noinline)) static void open_session(long key) { sessions[key] = std::string(1000, 'x'); }

__attribute__((noinline)) static void record(double value) { history.push_back(value); }

__attribute__((noinline)) static void append_reply(Buffer &reply, size_t more) {
    char *text = static_cast<char *>(realloc(reply.text, reply.length + more));
    if (text == nullptr) abort();
    memset(text + reply.length, 'x', more);
    reply.text = text;
    reply.length += more;
}

int main(int argc, char **argv) {
    std::string name = argc > 1 ? argv[1] : "map";
    double seconds = argc > 2 ? atof(argv[2]) : 20;
    using clock = std::chrono::steady_clock;
    auto start = clock::now();
    auto passed = [&] { return std::chrono::duration<double>(clock::now() - start).count(); };
    long done = 0;
    while (passed() < seconds) {
        // By the clock: what a busy machine delays is made up for.
        for (long due = static_cast<long>(passed() * 2000); done < due; done++) {
            if (name == "map") open_session(done);
            if (name == "vector")
                for (int i = 0; i < 190; i++) record(i);
            if (name == "buffers") append_reply(replies[done % 200], 1000);
            free(malloc(300));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    size_t live = sessions.size() * 1080 + history.capacity() * sizeof(double);
    for (const Buffer &reply : replies) live += reply.length;
    printf("%s live_bytes=%zu\n", name.c_str(), live);
}
