// Signing or sealing several messages at once.
//
// Purpose: AES-CMAC and AES-CCM wait for each block before the next; several messages side by side
//   take hardly longer than one.  Whoever has more than one message to send hands them over
//   together; what cannot be done so is done one after the other.
// Spec: [MS-SMB2] 3.1.4.1, 3.1.4.3.
// Thread: any.  Lifetime: a job borrows everything it names.
// Errors: in each job, as signer.h and aead.h have them.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "crypto/aead.h"
#include "crypto/signer.h"

namespace smb3d::crypto {

struct SignJob {
    const Signer* signer{nullptr};
    std::span<const Bytes> message;
    SigningFields fields;
    Result<Signature> signature{fail(NtStatus::INTERNAL_ERROR)};
    void* cookie{nullptr};  // the caller's: the jobs may come back in another order
};
void sign_all(std::span<SignJob> jobs);

// The Nonce and Signature of each transform header are filled in.
struct SealJob {
    const Aead* aead{nullptr};
    std::span<std::byte, Aead::transform_size> transform;
    std::span<const MutableBytes> message;
    Result<void> result{};
    void* cookie{nullptr};
};
void seal_all(std::span<SealJob> jobs);

// Whether one more message beside others costs less than on its own.
bool gains_from_company(const Signer& signer);
bool gains_from_company(const Aead& aead);

namespace detail {

void sign_cmac(std::span<SignJob> jobs);  // signers with a batch_key()
void seal_ccm(std::span<SealJob> jobs);   // likewise, all of one key length; nonces are there

// [MS-SMB2] 3.1.4.1: MessageId, then 32 bits: bit 0 the server's role, bit 1 an SMB2 CANCEL
// request.
std::array<std::byte, 12> gmac_nonce(const SigningFields& fields);

// A message's pieces as what is only read.
class MacPieces {
  public:
    explicit MacPieces(std::span<const MutableBytes> message) : size_(message.size()) {
        if (size_ > few_.size()) many_.resize(size_);
        Bytes* to = size_ > few_.size() ? many_.data() : few_.data();
        for (const MutableBytes part : message) *to++ = part;
    }
    std::span<const Bytes> span() const {
        return {size_ > few_.size() ? many_.data() : few_.data(), size_};
    }

  private:
    std::array<Bytes, 8> few_{};
    std::vector<Bytes> many_;
    std::size_t size_;
};

}  // namespace detail

}  // namespace smb3d::crypto
