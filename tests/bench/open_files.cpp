// What opening and closing a file costs the server while many are open with leases.
//
//   open_files [most [rounds]]     100000 and 5 if nothing is said
//
// The engine with its tables and timers, on one loop, over the back end in memory: more files than
// a process may have descriptors.  Clients hold RWH leases (version 2) and durable handles, each of
// a file of its own, as Windows does.  The figures are CPU time of the loop's thread: client and
// transport cost nothing in them.  At 1,000, 10,000, ... open files the same 1,000 other files are
// opened and closed, and leases of held files are broken by another client and acknowledged.
// Printed are microseconds for each and their ratio to those at 1,000.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <sched.h>
#include <time.h>

#include "client/test_client.h"
#include "engine/server_impl.h"
#include "wire/create_context.h"
#include "wire/oplock_break.h"

namespace {

using namespace smb3d;
using namespace smb3d::test;

constexpr std::size_t per_client = 25'000;
constexpr std::size_t files_per_directory = 1000;
constexpr std::size_t batch = 50;
constexpr std::size_t probes = 1000;

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "open_files: {}\n", why);
    std::exit(1);
}

double resident_mib() {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    statm >> total >> resident;
    return static_cast<double>(resident) * 4096 / 1048576;
}

class Bench {
  public:
    Bench()
        : server_({.configure = [](engine::ServerConfig& config) {
              config.max_open_files = 1U << 20;
              config.signing_required = false;
          }}) {
        other_ = log_on(0xFE);
    }

    void hold(std::size_t count) {
        while (held_.size() < count) {
            if (held_.size() % per_client == 0) {
                holders_.push_back(log_on(static_cast<std::uint8_t>(holders_.size() + 1)));
            }
            const std::size_t room = per_client - held_.size() % per_client;
            const std::size_t some = std::min({batch, count - held_.size(), room});
            std::vector<std::uint64_t> ids;
            for (std::size_t i = 0; i < some; ++i) {
                ids.push_back(send_create(*holders_.back(), held_.size() + i, true));
            }
            for (const std::uint64_t id : ids) held_.push_back(opened(*holders_.back(), id));
        }
    }

    struct Cost {
        double open{0};
        double close{0};
        double break_and_answer{0};
    };
    Cost measure() {
        Cost cost;
        for (std::size_t done = 0; done < probes; done += batch) {
            std::vector<std::uint64_t> ids;
            std::vector<wire::FileId> files;
            const double begin = loop_us();
            for (std::size_t i = 0; i < batch; ++i) {
                ids.push_back(send_create(*other_, probe_base + done + i, true));
            }
            for (const std::uint64_t id : ids) files.push_back(opened(*other_, id));
            const double middle = loop_us();
            close_all(*other_, files);
            cost.open += middle - begin;
            cost.close += loop_us() - middle;
        }
        cost.break_and_answer = measure_breaks();
        cost.open /= probes;
        cost.close /= probes;
        return cost;
    }

    // Returns the cost of one.
    double close_held() {
        const double begin = loop_us();
        for (std::size_t at = 0; at < held_.size(); at += batch) {
            const std::size_t end = std::min(held_.size(), at + batch);
            close_all(*holders_[at / per_client],
                      {held_.begin() + static_cast<std::ptrdiff_t>(at),
                       held_.begin() + static_cast<std::ptrdiff_t>(end)});
        }
        const double cost = (loop_us() - begin) / static_cast<double>(held_.size());
        held_.clear();
        return cost;
    }

  private:
    static constexpr std::size_t probe_base = 10'000'000;

    std::unique_ptr<TestClient> log_on(std::uint8_t guid) {
        auto client = std::make_unique<TestClient>(server_);
        client->client_guid.fill(guid);
        client->credits_to_ask = 512;
        client->keep_notices = true;
        NegotiateOptions options;
        options.dialects = {wire::dialect::smb302};
        options.capabilities |= wire::capabilities::leasing;
        if (!client->negotiate(options).ok() || !client->session_setup("alice").ok() ||
            !client->tree_connect("data").ok()) {
            give_up("a client cannot log on");
        }
        client->sign = false;
        return client;
    }

    static wire::LeaseKey key_of(std::size_t file) {
        wire::LeaseKey key{};
        std::memcpy(key.data(), &file, sizeof file);
        key[15] = 1;
        return key;
    }

    std::uint64_t send_create(TestClient& client, std::size_t file, bool lease) {
        const std::string folder = fmt::format("folder {}", file / files_per_directory);
        if (std::find(folders_.begin(), folders_.end(), folder) == folders_.end()) {
            const Reply made =
                client.create(folder, {.options = wire::create_options::directory_file});
            if (!made.ok() || !client.close(made.body<wire::CreateResponse>().file_id).ok()) {
                give_up("a folder cannot be made");
            }
            folders_.push_back(folder);
        }
        CreateOptions options;
        if (lease) {
            wire::CreateContextBuilder contexts;
            wire::LeaseV2 wanted;
            wanted.lease_key = key_of(file);
            wanted.lease_state = fsa::cache::all;
            contexts.add(wire::tag::rqls, wanted);
            wire::DurableHandleRequestV2 durable;
            const std::uint64_t unique = ++guids_;
            std::memcpy(durable.create_guid.data(), &unique, sizeof unique);
            contexts.add(wire::tag::dh2q, durable);
            options.contexts = {contexts.bytes().begin(), contexts.bytes().end()};
            options.oplock = wire::OplockLevel::lease;
        }
        return client.send_create(fmt::format("{}\\file {}.dat", folder, file), options);
    }

    static wire::FileId opened(TestClient& client, std::uint64_t id) {
        const Reply reply = client.wait(id);
        if (!reply.ok()) {
            give_up(fmt::format("CREATE: {}", status_name(reply.status())));
        }
        return reply.body<wire::CreateResponse>().file_id;
    }

    static void close_all(TestClient& client, const std::vector<wire::FileId>& files) {
        std::vector<std::uint64_t> ids;
        for (const wire::FileId& file : files) {
            wire::CloseRequest request;
            request.file_id = file;
            ids.push_back(client.send(client.make(request)));
        }
        for (const std::uint64_t id : ids) {
            if (!client.wait(id).ok()) give_up("CLOSE failed");
        }
    }

    // Another client opens a held file: RWH goes down to RH; then its holder opens it again and has
    // RWH once more.  One at a time.
    double measure_breaks() {
        constexpr std::size_t breaks = 100;
        TestClient& holder = *holders_.front();
        const std::size_t limit = std::min(held_.size(), per_client);
        const double begin = loop_us();
        for (std::size_t i = 0; i < breaks; ++i) {
            const std::size_t file = i * 7 % limit;
            const std::uint64_t id = send_create(*other_, file, false);
            while (holder.notices.empty()) {
                holder.poll();
                ::sched_yield();
            }
            holder.notices.clear();
            wire::LeaseBreakAcknowledgment answer;
            answer.lease_key = key_of(file);
            answer.lease_state = fsa::cache::read | fsa::cache::handle;
            if (!holder.call(answer).ok()) give_up("an acknowledgment was refused");
            close_all(*other_, {opened(*other_, id)});
            close_all(holder, {opened(holder, send_create(holder, file, true))});
        }
        return (loop_us() - begin) / static_cast<double>(breaks);
    }

    // CPU time of the server's loop so far.
    double loop_us() {
        auto& engine = static_cast<engine::ServerImpl&>(server_.engine());
        ::timespec time{};
        engine.run_on(server_.loop(0), [&] { ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); });
        return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
    }

    TestServer server_;
    std::unique_ptr<TestClient> other_;
    std::vector<std::unique_ptr<TestClient>> holders_;
    std::vector<wire::FileId> held_;
    std::vector<std::string> folders_;
    std::uint64_t guids_{0};
};

}  // namespace

int main(int argc, char** argv) {
    const std::size_t most = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
    if (most == 0 || rounds < 1) give_up("usage: open_files [most [rounds]]");
    Bench bench;
    Bench::Cost first;
    const double empty = resident_mib();
    fmt::print("{:>8} {:>10} {:>10} {:>12} {:>14}  ratio: open+close, break\n", "open", "open us",
               "close us", "break us", "MiB");
    for (std::size_t held = std::min<std::size_t>(1000, most);; held = std::min(held * 10, most)) {
        bench.hold(held);
        bench.measure();  // the files are there, memory is warm
        // The least disturbed of several.
        Bench::Cost best = bench.measure();
        for (int i = 1; i < rounds; ++i) {
            const Bench::Cost cost = bench.measure();
            best.open = std::min(best.open, cost.open);
            best.close = std::min(best.close, cost.close);
            best.break_and_answer = std::min(best.break_and_answer, cost.break_and_answer);
        }
        if (first.open == 0) first = best;
        fmt::print("{:>8} {:>10.2f} {:>10.2f} {:>12.2f} {:>14.1f}  {:.2f}, {:.2f}\n", held,
                   best.open, best.close, best.break_and_answer, resident_mib() - empty,
                   (best.open + best.close) / (first.open + first.close),
                   best.break_and_answer / first.break_and_answer);
        if (held == most) break;
    }
    fmt::print("closing all of them: {:.2f} us each\n", bench.close_held());
    return 0;
}
