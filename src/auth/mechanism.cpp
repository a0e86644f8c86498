#include "auth/mechanism.h"

#include <array>

namespace smb3d::auth::oid {

namespace {

template <class... Values>
constexpr std::array<std::byte, sizeof...(Values)> make(Values... values) {
    return {static_cast<std::byte>(values)...};
}

constexpr auto spnego_value = make(0x2B, 0x06, 0x01, 0x05, 0x05, 0x02);
constexpr auto ntlmssp_value = make(0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0A);
constexpr auto kerberos_value = make(0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02);
constexpr auto ms_kerberos_value = make(0x2A, 0x86, 0x48, 0x82, 0xF7, 0x12, 0x01, 0x02, 0x02);

}  // namespace

Bytes spnego() { return spnego_value; }
Bytes ntlmssp() { return ntlmssp_value; }
Bytes kerberos() { return kerberos_value; }
Bytes ms_kerberos() { return ms_kerberos_value; }

}  // namespace smb3d::auth::oid
