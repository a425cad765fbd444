// A server's mix: two workers answer requests that allocate 1 to 100 times, sessions live in a table and die as others
// come, and every answer is freed by a third thread, the sender, to which a queue brings it.
//
//   server [requests of each worker]
#include <array>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>
#include "hold.h"

namespace {

constexpr unsigned WORKERS = 2;
constexpr unsigned SHARDS = 16;
constexpr size_t SESSIONS_OF_SHARD = 600;
constexpr size_t HISTORY = 20;
constexpr size_t QUEUED_AT_MOST = 50;
unsigned long requests = 45'000;

class Random {
public:
	explicit Random(uint64_t seed) : state(seed * 0x9e3779b97f4a7c15ULL) {}
	uint64_t below(uint64_t limit)
	{
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		return (state * 0x2545f4914f6cdd1dULL >> 16) % limit;
	}
	std::string text(size_t most) { return std::string(1 + below(most), 't'); }

private:
	uint64_t state;
};

struct Session {
	std::string user;
	std::vector<std::string> history;
	std::unordered_map<std::string, std::string> settings;

	size_t bytes() const
	{
		size_t sum = sizeof *this + user.size();
		for (const auto &line : history)
			sum += sizeof line + line.size();
		for (const auto &[key, value] : settings)
			sum += sizeof key + sizeof value + key.size() + value.size();
		return sum;
	}
};

// The sessions, by a number. When a shard is full, one that no request asked for dies.
class Sessions {
public:
	std::shared_ptr<Session> find_or_open(uint64_t id, Random &random)
	{
		Shard &shard = shards[id % SHARDS];
		std::lock_guard<std::mutex> guard(shard.lock);
		auto found = shard.open.find(id);
		if (found != shard.open.end())
			return found->second;
		if (shard.open.size() >= SESSIONS_OF_SHARD)
			shard.open.erase(shard.open.begin());
		auto session = std::make_shared<Session>();
		session->user = "user-" + std::to_string(id) + random.text(40);
		for (uint64_t i = random.below(12); i > 0; i--)
			session->settings["setting-" + std::to_string(i)] = random.text(300);
		shard.open.emplace(id, session);
		return session;
	}
	void remember(Session &session, uint64_t id, std::string line)
	{
		std::lock_guard<std::mutex> guard(shards[id % SHARDS].lock);
		if (session.history.size() >= HISTORY)
			session.history.erase(session.history.begin());
		session.history.push_back(std::move(line));
	}
	size_t bytes() const
	{
		size_t sum = 0;
		for (const Shard &shard : shards)
			for (const auto &entry : shard.open)
				sum += entry.second->bytes();
		return sum;
	}

private:
	struct Shard {
		std::mutex lock;
		std::unordered_map<uint64_t, std::shared_ptr<Session>> open;
	};
	std::array<Shard, SHARDS> shards;
};

using Answer = std::vector<std::string>;

// From the workers to the sender. An answer without lines ends it.
class Queue {
public:
	void put(std::unique_ptr<Answer> answer)
	{
		std::unique_lock<std::mutex> guard(lock);
		room.wait(guard, [this] { return waiting.size() < QUEUED_AT_MOST; });
		waiting.push_back(std::move(answer));
		filled.notify_one();
	}
	// All that waits, so that the two sides meet seldom.
	std::vector<std::unique_ptr<Answer>> take()
	{
		std::unique_lock<std::mutex> guard(lock);
		filled.wait(guard, [this] { return !waiting.empty(); });
		room.notify_all();
		return std::exchange(waiting, {});
	}

private:
	std::mutex lock;
	std::condition_variable room, filled;
	std::vector<std::unique_ptr<Answer>> waiting;
};

Sessions sessions;
Queue queue;

void answer_requests(uint64_t seed)
{
	Random random(seed);
	for (unsigned long i = 0; i < requests; i++) {
		uint64_t id = random.below(SHARDS * SESSIONS_OF_SHARD * 2);
		auto session = sessions.find_or_open(id, random);
		auto answer = std::make_unique<Answer>();
		for (uint64_t line = 1 + random.below(100); line > 0; line--)
			answer->push_back(session->user + random.text(random.below(50) == 0 ? 8'000 : 200));
		sessions.remember(*session, id, "request " + std::to_string(i) + random.text(300));
		queue.put(std::move(answer));
	}
}

size_t send_answers()
{
	for (size_t sent = 0;;)
		for (const auto &answer : queue.take()) {
			if (answer->empty())
				return sent;
			for (const std::string &line : *answer)
				sent += line.size();
		}
}

} // namespace

int main(int argc, char **argv)
{
	if (argc > 1)
		requests = std::stoul(argv[1]);
	std::thread sender(send_answers);
	std::vector<std::thread> workers;
	for (unsigned i = 0; i < WORKERS; i++)
		workers.emplace_back(answer_requests, i + 1);
	for (std::thread &worker : workers)
		worker.join();
	queue.put(std::make_unique<Answer>());
	sender.join();
	hold(sessions.bytes());
}
