// What the create contexts of a CREATE's response say.
#pragma once

#include <optional>
#include <string_view>

#include "client/test_client.h"
#include "wire/create_context.h"

namespace smb3d::test {

// Nothing if it is not there or malformed.
template <class T>
std::optional<T> context_of(const wire::CreateResponse& response, std::string_view tag) {
    wire::CreateContextReader reader(response.create_contexts);
    wire::CreateContext context;
    while (reader.next(context)) {
        if (!context.is(tag)) continue;
        if (auto parsed = wire::parse<T>(context.data)) return *parsed;
    }
    return std::nullopt;
}
template <class T>
std::optional<T> context_of(const Reply& reply, std::string_view tag) {
    return context_of<T>(reply.body<wire::CreateResponse>(), tag);
}

}  // namespace smb3d::test
