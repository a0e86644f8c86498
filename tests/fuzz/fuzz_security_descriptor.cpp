// Security descriptors come from clients and from xattrs: what parses must survive building and
// parsing, and no access check, inheritance or text form of it may fail in a way of its own.  Input
// that is not a descriptor is tried as SDDL.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dtyp/access_check.h"
#include "dtyp/inherit.h"
#include "dtyp/posix_sd.h"
#include "dtyp/sddl.h"
#include "dtyp/security_descriptor.h"

namespace {

using namespace smb3d;
using namespace smb3d::dtyp;

void require(bool condition) {
    if (!condition) std::abort();
}

void check_text(const SecurityDescriptor& descriptor) {
    const auto text = to_sddl(descriptor);
    if (!text) return;
    const auto again = from_sddl(*text);
    require(again.has_value());
    require(to_sddl(*again).value() == *text);
}

void check_descriptor(const SecurityDescriptor& descriptor) {
    const auto built = descriptor.build();
    require(built.has_value());
    require(built->size() == descriptor.size());
    const auto again = SecurityDescriptor::parse(*built);
    require(again.has_value());
    require(*again == descriptor);
    check_text(descriptor);

    const Token token({sids::unix_user(1), sids::everyone, sids::authenticated_users}, 0);
    const AccessMask most = maximal_access(descriptor, token, {false, &descriptor});
    require((most & ~file_all_access) == 0);
    require(access_check(descriptor, token, maximum_allowed).value_or(0) ==
            maximal_access(descriptor, token));
    (void)mode_of_descriptor(descriptor, {1, 1, 0, false});

    for (const bool directory : {false, true}) {
        Creation creation;
        creation.parent = &descriptor;
        creation.directory = directory;
        creation.owner = sids::unix_user(1);
        creation.group = sids::unix_group(1);
        const auto child = create_descriptor(creation);
        if (!child) continue;
        const auto child_again = SecurityDescriptor::parse(child->build().value());
        require(child_again.has_value() && *child_again == *child);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes bytes = std::as_bytes(std::span(data, size));
    if (const auto descriptor = SecurityDescriptor::parse(bytes)) {
        check_descriptor(*descriptor);
        SecurityDescriptor merged = *descriptor;
        merged.replace(security_information::label | security_information::dacl, *descriptor);
        require(merged.build().has_value());
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto descriptor = from_sddl(text)) check_descriptor(*descriptor);
    return 0;
}
