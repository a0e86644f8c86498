#include "crypto/x86_kernels.h"

#include <cstring>

#if defined(__x86_64__)

#include <immintrin.h>

// Only these functions are compiled for newer processors; nothing of a header's is.
#define SMB3D_VAES __attribute__((target("avx2,aes,pclmul,vaes,vpclmulqdq")))
#define SMB3D_INLINE SMB3D_VAES __attribute__((always_inline)) inline
// A loop over what is to stay in registers.
#ifdef __clang__
#define SMB3D_UNROLLED _Pragma("clang loop unroll(full)")
#else
#define SMB3D_UNROLLED _Pragma("GCC unroll 8")
#endif

namespace smb3d::crypto::detail {

namespace {

using V1 = __m128i;
using V2 = __m256i;

constexpr std::size_t wide = 8;               // vectors of two blocks in flight
constexpr std::size_t chunk = wide * 2 * 16;  // 256 bytes

SMB3D_INLINE V1 load1(const void* from) { return _mm_loadu_si128(static_cast<const V1*>(from)); }
SMB3D_INLINE V2 load2(const void* from) { return _mm256_loadu_si256(static_cast<const V2*>(from)); }
SMB3D_INLINE void store1(void* to, V1 value) { _mm_storeu_si128(static_cast<V1*>(to), value); }
SMB3D_INLINE void store2(void* to, V2 value) { _mm256_storeu_si256(static_cast<V2*>(to), value); }

SMB3D_INLINE V1 reversal() {
    return _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
SMB3D_INLINE V1 reverse(V1 value) { return _mm_shuffle_epi8(value, reversal()); }
SMB3D_INLINE V2 both(V1 value) { return _mm256_broadcastsi128_si256(value); }
SMB3D_INLINE V1 key1(const AesSchedule& key, std::size_t round) {
    return load1(key.round_keys[round].data());
}

// -- key schedule
SMB3D_INLINE V1 spread(V1 key) {
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    return _mm_xor_si128(key, _mm_slli_si128(key, 8));
}
template <int rcon>
SMB3D_INLINE V1 next_even(V1 key, V1 last) {
    const V1 word = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(last, rcon), 0xFF);
    return _mm_xor_si128(spread(key), word);
}
SMB3D_INLINE V1 next_odd(V1 key, V1 last) {
    const V1 word = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(last, 0), 0xAA);
    return _mm_xor_si128(spread(key), word);
}

SMB3D_VAES void expand_128(const std::byte* key, AesSchedule& out) {
    V1 k = load1(key);
    std::size_t at = 0;
    const auto keep = [&](V1 value) SMB3D_VAES { store1(out.round_keys[at++].data(), value); };
    keep(k);
    keep(k = next_even<0x01>(k, k));
    keep(k = next_even<0x02>(k, k));
    keep(k = next_even<0x04>(k, k));
    keep(k = next_even<0x08>(k, k));
    keep(k = next_even<0x10>(k, k));
    keep(k = next_even<0x20>(k, k));
    keep(k = next_even<0x40>(k, k));
    keep(k = next_even<0x80>(k, k));
    keep(k = next_even<0x1B>(k, k));
    keep(next_even<0x36>(k, k));
    out.rounds = 10;
}

SMB3D_VAES void expand_256(const std::byte* key, AesSchedule& out) {
    V1 a = load1(key);
    V1 b = load1(key + 16);
    std::size_t at = 0;
    const auto keep = [&](V1 value) SMB3D_VAES { store1(out.round_keys[at++].data(), value); };
    keep(a);
    keep(b);
    keep(a = next_even<0x01>(a, b));
    keep(b = next_odd(b, a));
    keep(a = next_even<0x02>(a, b));
    keep(b = next_odd(b, a));
    keep(a = next_even<0x04>(a, b));
    keep(b = next_odd(b, a));
    keep(a = next_even<0x08>(a, b));
    keep(b = next_odd(b, a));
    keep(a = next_even<0x10>(a, b));
    keep(b = next_odd(b, a));
    keep(a = next_even<0x20>(a, b));
    keep(b = next_odd(b, a));
    keep(next_even<0x40>(a, b));
    out.rounds = 14;
}

SMB3D_INLINE V1 encrypt1(const AesSchedule& key, V1 block) {
    block = _mm_xor_si128(block, key1(key, 0));
    for (std::size_t round = 1; round < key.rounds; ++round) {
        block = _mm_aesenc_si128(block, key1(key, round));
    }
    return _mm_aesenclast_si128(block, key1(key, key.rounds));
}

// -- GHASH.  Blocks are byte-reversed, the hash key is multiplied by x beforehand, so that a
// product needs no shifting; [Gueron, Kounavis: Carry-Less Multiplication and Its Usage for
// Computing the GCM Mode], sections on reflected multiplication and aggregated reduction.
SMB3D_INLINE V1 polynomial() {
    return _mm_set_epi64x(static_cast<long long>(0xC200000000000000ULL), 1);
}

SMB3D_INLINE V1 reduce(V1 low, V1 middle, V1 high) {
    V1 folded = _mm_clmulepi64_si128(polynomial(), low, 0x01);
    middle = _mm_xor_si128(middle, _mm_xor_si128(_mm_shuffle_epi32(low, 0x4E), folded));
    folded = _mm_clmulepi64_si128(polynomial(), middle, 0x01);
    return _mm_xor_si128(high, _mm_xor_si128(_mm_shuffle_epi32(middle, 0x4E), folded));
}

SMB3D_INLINE V1 multiply(V1 a, V1 b) {
    const V1 low = _mm_clmulepi64_si128(a, b, 0x00);
    const V1 high = _mm_clmulepi64_si128(a, b, 0x11);
    const V1 middle =
        _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01), _mm_clmulepi64_si128(a, b, 0x10));
    return reduce(low, middle, high);
}

struct Sums {
    V2 low, middle, high;
};

// Adds two blocks times their powers, with three multiplications each [Karatsuba].
SMB3D_INLINE void accumulate(Sums& sums, V2 blocks, const GcmKey& key, std::size_t pair) {
    const V2 powers = load2(key.powers[2 * pair].data());
    const V2 mixed = load2(key.karatsuba[2 * pair].data());
    const V2 folded = _mm256_xor_si256(blocks, _mm256_shuffle_epi32(blocks, 0x4E));
    sums.low = _mm256_xor_si256(sums.low, _mm256_clmulepi64_epi128(blocks, powers, 0x00));
    sums.high = _mm256_xor_si256(sums.high, _mm256_clmulepi64_epi128(blocks, powers, 0x11));
    sums.middle = _mm256_xor_si256(sums.middle, _mm256_clmulepi64_epi128(folded, mixed, 0x00));
}
SMB3D_INLINE V1 halves(V2 value) {
    return _mm_xor_si128(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
}
SMB3D_INLINE V1 total(const Sums& sums) {
    const V1 low = halves(sums.low);
    const V1 high = halves(sums.high);
    const V1 middle = _mm_xor_si128(halves(sums.middle), _mm_xor_si128(low, high));
    return reduce(low, middle, high);
}
SMB3D_INLINE V2 hash_input(const std::byte* from, std::size_t pair, V1 hash) {
    const V2 blocks = _mm256_shuffle_epi8(load2(from + 32 * pair), both(reversal()));
    return pair == 0 ? _mm256_xor_si256(blocks, _mm256_zextsi128_si256(hash)) : blocks;
}

SMB3D_INLINE V1 hash_one(const GcmKey& key, V1 hash, V1 block) {
    return multiply(_mm_xor_si128(hash, reverse(block)), load1(key.powers[15].data()));
}

SMB3D_VAES V1 hash_blocks(const GcmKey& key, V1 hash, const std::byte* data, std::size_t size) {
    for (; size >= chunk; data += chunk, size -= chunk) {
        Sums sums{_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
        SMB3D_UNROLLED
        for (std::size_t pair = 0; pair < wide; ++pair) {
            accumulate(sums, hash_input(data, pair, hash), key, pair);
        }
        hash = total(sums);
    }
    // The same with as many pairs as there are left: the last powers fit.
    if (size >= 32) {
        const std::size_t pairs = size / 32;
        Sums sums{_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
        for (std::size_t pair = 0; pair < pairs; ++pair) {
            accumulate(sums, hash_input(data, pair, hash), key, wide - pairs + pair);
        }
        hash = total(sums);
        data += 32 * pairs;
        size -= 32 * pairs;
    }
    if (size >= 16) hash = hash_one(key, hash, load1(data));
    return hash;
}

// -- the counter mode of GCM, with the hash of what is ciphertext already between the rounds
SMB3D_INLINE V2 counters(V1 counter) {
    return _mm256_add_epi32(both(counter), _mm256_set_epi32(0, 0, 0, 1, 0, 0, 0, 0));
}

template <bool with_hash>
SMB3D_INLINE void crypt_chunk(const GcmKey& key, V2& counter, std::byte* data,
                              const std::byte* hashed, V1& hash) {
    const V2 swap = both(reversal());
    const V2 two = _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 2);
    const V2 first = both(key1(key.aes, 0));
    V2 x[wide];
    SMB3D_UNROLLED
    for (std::size_t i = 0; i < wide; ++i) {
        x[i] = _mm256_xor_si256(_mm256_shuffle_epi8(counter, swap), first);
        counter = _mm256_add_epi32(counter, two);
    }
    Sums sums{_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    SMB3D_UNROLLED
    for (std::size_t round = 1; round <= wide; ++round) {
        const V2 round_key = both(key1(key.aes, round));
        SMB3D_UNROLLED
        for (std::size_t i = 0; i < wide; ++i) x[i] = _mm256_aesenc_epi128(x[i], round_key);
        if constexpr (with_hash) {
            accumulate(sums, hash_input(hashed, round - 1, hash), key, round - 1);
        }
    }
    if constexpr (with_hash) hash = total(sums);
    for (std::size_t round = wide + 1; round < key.aes.rounds; ++round) {
        const V2 round_key = both(key1(key.aes, round));
        SMB3D_UNROLLED
        for (std::size_t i = 0; i < wide; ++i) x[i] = _mm256_aesenc_epi128(x[i], round_key);
    }
    const V2 last = both(key1(key.aes, key.aes.rounds));
    SMB3D_UNROLLED
    for (std::size_t i = 0; i < wide; ++i) {
        const V2 mask = _mm256_xor_si256(last, load2(data + 32 * i));
        store2(data + 32 * i, _mm256_aesenclast_epi128(x[i], mask));
    }
}

SMB3D_INLINE void crypt_block(const GcmKey& key, V1& counter, std::byte* data) {
    const V1 stream = encrypt1(key.aes, reverse(counter));
    counter = _mm_add_epi32(counter, _mm_set_epi32(0, 0, 0, 1));
    store1(data, _mm_xor_si128(stream, load1(data)));
}

template <bool encrypts>
SMB3D_VAES void crypt_blocks(const GcmKey& key, GcmState& state, std::byte* data,
                             std::size_t size) {
    V1 hash = load1(state.hash.data());
    V1 counter = load1(state.counter.data());
    if (size >= chunk) {
        V2 pair = counters(counter);
        const auto count = static_cast<int>(size / chunk * (2 * wide));
        if constexpr (encrypts) {
            crypt_chunk<false>(key, pair, data, nullptr, hash);
            data += chunk;
            size -= chunk;
            for (; size >= chunk; data += chunk, size -= chunk) {
                crypt_chunk<true>(key, pair, data, data - chunk, hash);
            }
            hash = hash_blocks(key, hash, data - chunk, chunk);
        } else {
            for (; size >= chunk; data += chunk, size -= chunk) {
                crypt_chunk<true>(key, pair, data, data, hash);
            }
        }
        counter = _mm_add_epi32(counter, _mm_set_epi32(0, 0, 0, count));
    }
    const std::size_t rest = size / 16 * 16;
    if (!encrypts) hash = hash_blocks(key, hash, data, rest);
    for (std::size_t at = 0; at < rest; at += 16) crypt_block(key, counter, data + at);
    if (encrypts) hash = hash_blocks(key, hash, data, rest);
    store1(state.hash.data(), hash);
    store1(state.counter.data(), counter);
}

SMB3D_VAES void hash_partial(const GcmKey& key, GcmState& state) {
    std::memset(state.partial.data() + state.partial_size, 0, aes_block - state.partial_size);
    const V1 hash = hash_one(key, load1(state.hash.data()), load1(state.partial.data()));
    store1(state.hash.data(), hash);
    state.partial_size = 0;
}

SMB3D_VAES void next_keystream(const GcmKey& key, GcmState& state) {
    const V1 counter = load1(state.counter.data());
    store1(state.keystream.data(), encrypt1(key.aes, reverse(counter)));
    store1(state.counter.data(), _mm_add_epi32(counter, _mm_set_epi32(0, 0, 0, 1)));
}

// Bytes of a block that is in pieces.
template <bool encrypts>
void crypt_bytes(GcmState& state, std::byte* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i, ++state.partial_size) {
        const std::byte out = data[i] ^ state.keystream[state.partial_size];
        state.partial[state.partial_size] = encrypts ? out : data[i];
        data[i] = out;
    }
}

template <bool encrypts>
void crypt(const GcmKey& key, GcmState& state, MutableBytes data) {
    if (data.empty()) return;
    if (state.data_bytes == 0 && state.partial_size != 0) hash_partial(key, state);  // of the AAD
    state.data_bytes += data.size();
    std::byte* at = data.data();
    std::size_t size = data.size();
    if (state.partial_size != 0) {
        const std::size_t room = aes_block - state.partial_size;
        const std::size_t now = size < room ? size : room;
        crypt_bytes<encrypts>(state, at, now);
        at += now;
        size -= now;
        if (state.partial_size < aes_block) return;
        hash_partial(key, state);
    }
    const std::size_t whole = size / aes_block * aes_block;
    if (whole != 0) crypt_blocks<encrypts>(key, state, at, whole);
    if (size == whole) return;
    next_keystream(key, state);
    crypt_bytes<encrypts>(state, at + whole, size - whole);
}

}  // namespace

bool has_x86_kernels() {
    // The intrinsics above need what the operating system must save, too: AVX2's test has it.
    return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("aes") != 0 &&
           __builtin_cpu_supports("pclmul") != 0 && __builtin_cpu_supports("vpclmulqdq") != 0 &&
           __builtin_cpu_supports("vaes") != 0;
}

void expand_key(Bytes key, AesSchedule& schedule) {
    if (key.size() == 32) return expand_256(key.data(), schedule);
    expand_128(key.data(), schedule);
}

SMB3D_VAES AesBlock encrypt_block(const AesSchedule& schedule, const AesBlock& block) {
    AesBlock out;
    store1(out.data(), encrypt1(schedule, load1(block.data())));
    return out;
}

SMB3D_VAES void make_gcm_key(Bytes key, GcmKey& gcm) {
    expand_key(key, gcm.aes);
    const V1 hash_key = reverse(encrypt1(gcm.aes, _mm_setzero_si128()));
    // Times x: shifted by one bit, with the polynomial if one falls out.
    const V1 carries = _mm_srai_epi32(_mm_shuffle_epi32(hash_key, 0xD3), 31);
    const V1 wrap =
        _mm_and_si128(carries, _mm_set_epi64x(static_cast<long long>(0xC200000000000001ULL), 1));
    const V1 one = _mm_xor_si128(_mm_add_epi64(hash_key, hash_key), wrap);
    V1 power = one;
    for (std::size_t i = gcm.powers.size(); i-- > 0;) {
        store1(gcm.powers[i].data(), power);
        store1(gcm.karatsuba[i].data(), _mm_xor_si128(power, _mm_shuffle_epi32(power, 0x4E)));
        power = multiply(power, one);
    }
}

SMB3D_VAES void gcm_begin(const GcmKey& key, std::span<const std::byte, 12> nonce,
                          GcmState& state) {
    std::memset(static_cast<void*>(&state), 0, sizeof state);
    AesBlock first{};
    std::memcpy(first.data(), nonce.data(), nonce.size());
    first[15] = std::byte{1};
    const V1 counter = load1(first.data());
    store1(state.tag_mask.data(), encrypt1(key.aes, counter));
    store1(state.counter.data(), _mm_add_epi32(reverse(counter), _mm_set_epi32(0, 0, 0, 1)));
}

SMB3D_VAES void gcm_aad(const GcmKey& key, GcmState& state, Bytes aad) {
    state.aad_bytes += aad.size();
    if (state.partial_size != 0) {
        const std::size_t room = aes_block - state.partial_size;
        const std::size_t now = aad.size() < room ? aad.size() : room;
        if (now != 0) std::memcpy(state.partial.data() + state.partial_size, aad.data(), now);
        state.partial_size += now;
        aad = aad.subspan(now);
        if (state.partial_size < aes_block) return;
        hash_partial(key, state);
    }
    const std::size_t whole = aad.size() / aes_block * aes_block;
    store1(state.hash.data(), hash_blocks(key, load1(state.hash.data()), aad.data(), whole));
    const std::size_t rest = aad.size() - whole;
    if (rest != 0) std::memcpy(state.partial.data(), aad.data() + whole, rest);
    state.partial_size = rest;
}

void gcm_encrypt(const GcmKey& key, GcmState& state, MutableBytes data) {
    crypt<true>(key, state, data);
}
void gcm_decrypt(const GcmKey& key, GcmState& state, MutableBytes data) {
    crypt<false>(key, state, data);
}

SMB3D_VAES AesBlock gcm_finish(const GcmKey& key, GcmState& state) {
    if (state.partial_size != 0) hash_partial(key, state);
    const V1 lengths = _mm_set_epi64x(static_cast<long long>(state.aad_bytes * 8),
                                      static_cast<long long>(state.data_bytes * 8));
    const V1 hash =
        multiply(_mm_xor_si128(load1(state.hash.data()), lengths), load1(key.powers[15].data()));
    AesBlock tag;
    store1(tag.data(), _mm_xor_si128(reverse(hash), load1(state.tag_mask.data())));
    return tag;
}

namespace {

// `count` lanes for as many blocks as the shortest of them has.
template <std::size_t count>
SMB3D_VAES void mac_rounds(MacLane* const* lanes, std::size_t blocks) {
    V1 state[count];
    const std::byte* data[count];
    const AesSchedule* keys[count];
    SMB3D_UNROLLED
    for (std::size_t i = 0; i < count; ++i) {
        state[i] = load1(lanes[i]->state.data());
        data[i] = lanes[i]->data;
        keys[i] = lanes[i]->key;
    }
    const std::size_t rounds = keys[0]->rounds;
    for (std::size_t block = 0; block < blocks; ++block) {
        SMB3D_UNROLLED
        for (std::size_t i = 0; i < count; ++i) {
            const V1 input = _mm_xor_si128(load1(data[i]), key1(*keys[i], 0));
            state[i] = _mm_xor_si128(state[i], input);
            data[i] += aes_block;
        }
        for (std::size_t round = 1; round < rounds; ++round) {
            SMB3D_UNROLLED
            for (std::size_t i = 0; i < count; ++i) {
                state[i] = _mm_aesenc_si128(state[i], key1(*keys[i], round));
            }
        }
        SMB3D_UNROLLED
        for (std::size_t i = 0; i < count; ++i) {
            state[i] = _mm_aesenclast_si128(state[i], key1(*keys[i], rounds));
        }
    }
    SMB3D_UNROLLED
    for (std::size_t i = 0; i < count; ++i) {
        store1(lanes[i]->state.data(), state[i]);
        lanes[i]->data = data[i];
        lanes[i]->blocks -= blocks;
    }
}

void mac_step(MacLane* const* lanes, std::size_t count, std::size_t blocks) {
    switch (count) {
        case 1:
            return mac_rounds<1>(lanes, blocks);
        case 2:
            return mac_rounds<2>(lanes, blocks);
        case 3:
            return mac_rounds<3>(lanes, blocks);
        case 4:
            return mac_rounds<4>(lanes, blocks);
        case 5:
            return mac_rounds<5>(lanes, blocks);
        case 6:
            return mac_rounds<6>(lanes, blocks);
        case 7:
            return mac_rounds<7>(lanes, blocks);
        default:
            return mac_rounds<8>(lanes, blocks);
    }
}

}  // namespace

void advance(std::span<MacLane* const> lanes) {
    std::size_t blocks = lanes[0]->blocks;
    for (const MacLane* lane : lanes) blocks = lane->blocks < blocks ? lane->blocks : blocks;
    mac_step(lanes.data(), lanes.size(), blocks);
}

SMB3D_VAES void ctr_xor(const AesSchedule& key, AesBlock counter, MutableBytes data) {
    std::byte* at = data.data();
    std::size_t size = data.size();
    V1 base = reverse(load1(counter.data()));
    const V2 swap = both(reversal());
    const V2 two = _mm256_set_epi64x(0, 2, 0, 2);
    V2 pair = _mm256_add_epi64(both(base), _mm256_set_epi64x(0, 1, 0, 0));
    for (; size >= chunk; at += chunk, size -= chunk) {
        V2 x[wide];
        SMB3D_UNROLLED
        for (std::size_t i = 0; i < wide; ++i) {
            x[i] = _mm256_xor_si256(_mm256_shuffle_epi8(pair, swap), both(key1(key, 0)));
            pair = _mm256_add_epi64(pair, two);
        }
        for (std::size_t round = 1; round < key.rounds; ++round) {
            const V2 round_key = both(key1(key, round));
            SMB3D_UNROLLED
            for (std::size_t i = 0; i < wide; ++i) x[i] = _mm256_aesenc_epi128(x[i], round_key);
        }
        const V2 last = both(key1(key, key.rounds));
        SMB3D_UNROLLED
        for (std::size_t i = 0; i < wide; ++i) {
            const V2 mask = _mm256_xor_si256(last, load2(at + 32 * i));
            store2(at + 32 * i, _mm256_aesenclast_epi128(x[i], mask));
        }
    }
    base = _mm256_castsi256_si128(pair);
    while (size > 0) {
        AesBlock stream;
        store1(stream.data(), encrypt1(key, reverse(base)));
        base = _mm_add_epi64(base, _mm_set_epi64x(0, 1));
        const std::size_t now = size < aes_block ? size : aes_block;
        for (std::size_t i = 0; i < now; ++i) at[i] ^= stream[i];
        at += now;
        size -= now;
    }
}

}  // namespace smb3d::crypto::detail

#else

namespace smb3d::crypto::detail {

bool has_x86_kernels() { return false; }
void expand_key(Bytes, AesSchedule&) {}
AesBlock encrypt_block(const AesSchedule&, const AesBlock&) { return {}; }
void make_gcm_key(Bytes, GcmKey&) {}
void gcm_begin(const GcmKey&, std::span<const std::byte, 12>, GcmState&) {}
void gcm_aad(const GcmKey&, GcmState&, Bytes) {}
void gcm_encrypt(const GcmKey&, GcmState&, MutableBytes) {}
void gcm_decrypt(const GcmKey&, GcmState&, MutableBytes) {}
AesBlock gcm_finish(const GcmKey&, GcmState&) { return {}; }
void advance(std::span<MacLane* const>) {}
void ctr_xor(const AesSchedule&, AesBlock, MutableBytes) {}

}  // namespace smb3d::crypto::detail

#endif
