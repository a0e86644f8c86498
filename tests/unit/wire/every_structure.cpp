#include "unit/wire/every_structure.h"

#include "wire/message_list.h"

namespace smb3d::wire::test {

TEST(EveryStructure, RequestsRoundTrip) { Requests::for_each(RoundTrip{}); }
TEST(EveryStructure, ResponsesRoundTrip) { Responses::for_each(RoundTrip{}); }
TEST(EveryStructure, PartsRoundTrip) { Structures::for_each(RoundTrip{}); }
TEST(EveryStructure, TruncatedRequests) { Requests::for_each(Truncation{}); }
TEST(EveryStructure, TruncatedResponses) { Responses::for_each(Truncation{}); }
TEST(EveryStructure, TruncatedParts) { Structures::for_each(Truncation{}); }
TEST(EveryStructure, MutatedRequests) { Requests::for_each(Mutation{}); }
TEST(EveryStructure, MutatedResponses) { Responses::for_each(Mutation{}); }
TEST(EveryStructure, MutatedParts) { Structures::for_each(Mutation{}); }

// [MS-SMB2] 2.2: StructureSize counts the fixed part, and one byte more if a variable part follows.
struct SizeIsStructureSize {
    template <class T>
    void operator()() const {
        const std::vector<std::byte> bytes = message_of(T{});
        const std::uint16_t declared = structure_size_of(bytes);
        const std::size_t fixed = fixed_size<T>() - header_size;
        EXPECT_TRUE(declared == fixed || (declared % 2 == 1 && declared == fixed + 1))
            << __PRETTY_FUNCTION__ << " " << declared << " " << fixed;
    }
};

TEST(EveryStructure, StructureSizesAreTheFixedParts) {
    using Exceptions = TypeList<LockRequest>;
    static_assert(Exceptions::size == 1);  // its StructureSize counts one lock element as well
    EXPECT_EQ(fixed_size<LockRequest>() + built_size(LockElement{}), header_size + 48);
    const auto all_but_lock = []<class T>() {
        if constexpr (!std::is_same_v<T, LockRequest> &&
                      !std::is_same_v<T, ServerToClientNotification>) {
            SizeIsStructureSize{}.operator()<T>();
        }
    };
    Requests::for_each(all_but_lock);
    Responses::for_each(all_but_lock);
}

// Every command of a client has a request here, every one but CANCEL a response.
TEST(EveryStructure, AllCommandsAreListed) {
    std::vector<bool> requests(command_count);
    std::vector<bool> responses(command_count);
    Requests::for_each([&]<class T>() { requests[static_cast<std::size_t>(T::command)] = true; });
    Responses::for_each([&]<class T>() {
        if constexpr (requires { T::command; }) {
            const auto index = static_cast<std::size_t>(T::command);
            if (index < command_count) responses[index] = true;
        }
    });
    for (std::size_t i = 0; i < command_count; ++i) {
        EXPECT_TRUE(requests[i]) << i;
        EXPECT_EQ(responses[i], i != static_cast<std::size_t>(Command::cancel)) << i;
    }
}

}  // namespace smb3d::wire::test
