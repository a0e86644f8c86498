// The ERROR response, its 3.1.1 contexts and the symbolic link error.
//
// Spec: [MS-SMB2] 2.2.2.
// Lifetime: error data is a view.
#pragma once

#include "wire/header.h"

namespace smb3d::wire {

inline constexpr std::uint32_t error_id_default = 0x00000000;
inline constexpr std::uint32_t error_id_share_redirect = 0x72645253;
inline constexpr std::size_t max_error_contexts = 16;

// 2.2.2.1
struct ErrorContext {
    std::uint32_t error_id{error_id_default};
    Bytes error_context_data;

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.length32(self.error_context_data);
        w.field(self.error_id);
        w.inline_bytes(self.error_context_data);
    }
};

struct ErrorResponse {
    static constexpr bool is_body = true;

    std::uint8_t error_context_count{0};  // 3.1.1; else 0
    Bytes error_data;                     // or the contexts: ErrorContexts

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.structure_size(9);
        w.field(self.error_context_count);
        w.reserved(1);
        w.length32(self.error_data);
        w.inline_bytes(self.error_data);
    }
};

// ErrorData as contexts, of which `count` was read before; each begins at a multiple of eight.
struct ErrorContexts {
    std::vector<ErrorContext> contexts;

    template <class S, class W>
    static void wire(S& self, W& w) {
        if constexpr (W::parsing) {
            while (w.ok() && w.remaining() > 0) {
                ErrorContext context;
                w.field(context);
                w.align(message_alignment);
                w.check(self.contexts.size() < max_error_contexts);
                if (w.ok()) self.contexts.push_back(context);
            }
        } else {
            for (const ErrorContext& context : self.contexts) {
                w.align(message_alignment);
                w.field(context);
            }
        }
    }
};

// STATUS_BUFFER_TOO_SMALL: what would have been enough (2.2.2 ErrorData).
struct MinimumBufferLength {
    std::uint32_t length{0};

    template <class S, class W>
    static void wire(S& self, W& w) {
        w.field(self.length);
    }
};

// 2.2.2.2.1 Symbolic Link Error Response, STATUS_STOPPED_ON_SYMLINK
struct SymbolicLinkErrorResponse {
    static constexpr std::uint32_t sym_link_error_tag = 0x4C4D5953;
    static constexpr std::uint32_t reparse_tag = 0xA000000C;
    static constexpr std::uint32_t flag_relative = 0x00000001;

    std::uint16_t unparsed_path_length{0};  // bytes of the name behind the link
    std::uint32_t flags{0};
    std::vector<std::byte> substitute_name;  // UTF-16LE
    std::vector<std::byte> print_name;

    template <class S, class W>
    static void wire(S& self, W& w) {
        if constexpr (W::parsing) {
            parse(self, w);
        } else {
            build(self, w);
        }
    }

  private:
    // The names' offsets count from PathBuffer, which the direction-free helpers do not know.
    template <class W>
    static void build(const SymbolicLinkErrorResponse& self, W& w) {
        const std::size_t names = self.substitute_name.size() + self.print_name.size();
        w.check(names <= 0xF000 && names % 2 == 0);
        const auto u16 = [](std::size_t value) { return static_cast<std::uint16_t>(value); };
        w.field(static_cast<std::uint32_t>(fixed_behind_length + names));
        w.field(sym_link_error_tag);
        w.field(reparse_tag);
        w.field(u16(fixed_behind_reparse_length + names));
        w.field(self.unparsed_path_length);
        w.field(std::uint16_t{0});
        w.field(u16(self.substitute_name.size()));
        w.field(u16(self.substitute_name.size()));
        w.field(u16(self.print_name.size()));
        w.field(self.flags);
        w.rest(Bytes(self.substitute_name));
        w.rest(Bytes(self.print_name));
    }
    template <class W>
    static void parse(SymbolicLinkErrorResponse& self, W& w) {
        std::uint32_t length = 0;
        std::uint16_t reparse_length = 0;
        std::array<std::uint16_t, 4> names{};  // substitute offset, length, print offset, length
        w.field(length);
        w.constant(sym_link_error_tag);
        w.constant(reparse_tag);
        w.field(reparse_length);
        w.field(self.unparsed_path_length);
        w.field(names);
        w.field(self.flags);
        Bytes path_buffer;
        w.rest(path_buffer);
        const auto part = [&](std::size_t offset, std::size_t size, std::vector<std::byte>& into) {
            w.check(offset <= path_buffer.size() && size <= path_buffer.size() - offset);
            if (!w.ok()) return;
            const Bytes view = path_buffer.subspan(offset, size);
            into.assign(view.begin(), view.end());
        };
        part(names[0], names[1], self.substitute_name);
        part(names[2], names[3], self.print_name);
    }

    static constexpr std::size_t fixed_behind_reparse_length = 12;
    static constexpr std::size_t fixed_behind_length = 24;
};

}  // namespace smb3d::wire
