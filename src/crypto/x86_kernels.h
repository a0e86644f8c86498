// AES and GHASH on the processor's own instructions: the inner loops of the built-in provider.
//
// Purpose: processors of small servers (Zen 3, Alder Lake-N) encrypt two blocks with one
// instruction
//   (VAES, VPCLMULQDQ) but have no AVX-512, and the libraries of today use one only with the other.
//   And several CMACs or CCMs side by side hide the latency that a single one waits for.
// Spec: [FIPS-197], [SP800-38D] (GCM), [SP800-38B] (CMAC), [SP800-38C] (CCM).
// Thread: any; a key is read only once made.  No table lookups: time does not depend on data.
// Errors: none; the caller has asked has_x86_kernels() before.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "smb3d/buffer.h"

namespace smb3d::crypto::detail {

inline constexpr std::size_t aes_block = 16;
using AesBlock = std::array<std::byte, aes_block>;

// False on another architecture, and without AES-NI, PCLMULQDQ, AVX2, VAES and VPCLMULQDQ.
bool has_x86_kernels();

// The encryption key schedule of AES-128 or AES-256; wiped by its owner.
struct alignas(32) AesSchedule {
    std::array<AesBlock, 15> round_keys;
    std::uint32_t rounds{0};  // 10 or 14
};
void expand_key(Bytes key, AesSchedule& schedule);
AesBlock encrypt_block(const AesSchedule& schedule, const AesBlock& block);

// -- GCM
struct alignas(32) GcmKey {
    AesSchedule aes;
    std::array<AesBlock, 16> powers;     // of the hash key, 16th first
    std::array<AesBlock, 16> karatsuba;  // high and low halves added, for each
};
void make_gcm_key(Bytes key, GcmKey& gcm);

// One message; data may come in pieces of any length.
struct alignas(32) GcmState {
    AesBlock hash;       // byte-reversed
    AesBlock counter;    // byte-reversed: the 32-bit counter is its first word
    AesBlock keystream;  // of the block that is not whole yet
    AesBlock partial;    // its ciphertext, or additional data
    AesBlock tag_mask;
    std::uint64_t aad_bytes;
    std::uint64_t data_bytes;
    std::size_t partial_size;
};
void gcm_begin(const GcmKey& key, std::span<const std::byte, 12> nonce, GcmState& state);
void gcm_aad(const GcmKey& key, GcmState& state, Bytes aad);
void gcm_encrypt(const GcmKey& key, GcmState& state, MutableBytes data);
void gcm_decrypt(const GcmKey& key, GcmState& state, MutableBytes data);
AesBlock gcm_finish(const GcmKey& key, GcmState& state);

// -- CBC-MAC of several messages side by side; a lane is a run of whole blocks of one of them.
inline constexpr std::size_t mac_lanes = 8;
struct MacLane {
    const AesSchedule* key{nullptr};
    const std::byte* data{nullptr};
    std::size_t blocks{0};
    AesBlock state{};
};
// Advances at most mac_lanes lanes, each with at least one block, to the end of the shortest.  All
// keys must have the same number of rounds.
void advance(std::span<MacLane* const> lanes);

// -- CTR as CCM has it: the counter is the last `counter_size` bytes, big-endian; it wraps nowhere.
// Whole blocks and at the end a part of one.
void ctr_xor(const AesSchedule& key, AesBlock counter, MutableBytes data);

}  // namespace smb3d::crypto::detail
