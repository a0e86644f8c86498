// The codec: parsing and building what the busiest commands carry.
#include <array>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/utf16.h"
#include "wire/compound.h"
#include "wire/create.h"
#include "wire/header.h"
#include "wire/read.h"

namespace smb3d {
namespace {

template <class T>
std::vector<std::byte> message_of(const T& body, std::uint32_t next = 0) {
    wire::Header header;
    header.command = T::command;
    header.next_command = next;
    std::vector<std::byte> message(wire::header_size + wire::built_size(body));
    const auto head = wire::build(header, message);
    const auto rest = wire::build(body, MutableBytes(message).subspan(wire::header_size));
    if (!head || !rest) std::abort();
    return message;
}

void parse_header(benchmark::State& state) {
    const auto message = message_of(wire::ReadRequest{});
    for (auto _ : state) {
        auto header = wire::parse<wire::Header>(message);
        benchmark::DoNotOptimize(header);
    }
}
BENCHMARK(parse_header);

void parse_read_request(benchmark::State& state) {
    const auto message = message_of(wire::ReadRequest{});
    for (auto _ : state) {
        auto request = wire::parse<wire::ReadRequest>(message);
        benchmark::DoNotOptimize(request);
    }
}
BENCHMARK(parse_read_request);

void parse_create_request(benchmark::State& state) {
    const auto name = utf16le_bytes(u"some folder\\another folder\\a file name.docx");
    wire::CreateRequest create;
    create.name = name;
    const auto message = message_of(create);
    for (auto _ : state) {
        auto request = wire::parse<wire::CreateRequest>(message);
        benchmark::DoNotOptimize(request);
    }
}
BENCHMARK(parse_create_request);

void build_read_response(benchmark::State& state) {
    std::array<std::byte, 256> out{};
    wire::ReadResponse response;
    response.data = wire::Payload::outside(65536);
    for (auto _ : state) {
        auto size = wire::build(wire::Header{}, out);
        auto body = wire::build(response, MutableBytes(out).subspan(wire::header_size));
        benchmark::DoNotOptimize(size);
        benchmark::DoNotOptimize(body);
    }
}
BENCHMARK(build_read_response);

void walk_compound(benchmark::State& state) {
    std::vector<std::byte> chain;
    for (int i = 0; i < 4; ++i) {
        auto part = message_of(wire::ReadRequest{});
        part.resize((part.size() + 7) / 8 * 8);
        if (i < 3)
            part = [&] {
                auto linked =
                    message_of(wire::ReadRequest{}, static_cast<std::uint32_t>(part.size()));
                linked.resize(part.size());
                return linked;
            }();
        chain.insert(chain.end(), part.begin(), part.end());
    }
    for (auto _ : state) {
        wire::ChainReader reader(chain);
        wire::ChainPart part;
        std::size_t parts = 0;
        while (reader.next(part)) ++parts;
        if (parts != 4) state.SkipWithError("the chain is not one of four");
    }
}
BENCHMARK(walk_compound);

}  // namespace
}  // namespace smb3d
