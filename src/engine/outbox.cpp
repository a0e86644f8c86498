#include "engine/outbox.h"

#include <cstring>
#include <span>

#include "crypto/batch.h"
#include "engine/connection.h"
#include "wire/header.h"

namespace smb3d::engine {

Outbox::Outbox(Loop& loop) : loop_(loop) {
    work_.outbox = this;
    work_.run = [](Work* work) {
        Outbox& outbox = *static_cast<FlushWork*>(work)->outbox;
        outbox.posted_ = false;
        outbox.flush();
    };
}

void Outbox::add_to_sign(Connection& connection, BufferChain&& pieces,
                         std::shared_ptr<const crypto::Signer> signer,
                         const crypto::SigningFields& fields) {
    Item item;
    item.connection = &connection;
    item.pieces = std::move(pieces);
    item.signer = std::move(signer);
    item.fields = fields;
    add(std::move(item));
}

void Outbox::add_to_seal(Connection& connection, BufferChain&& pieces,
                         std::shared_ptr<const Session> session) {
    Item item;
    item.connection = &connection;
    item.pieces = std::move(pieces);
    item.session = std::move(session);
    add(std::move(item));
}

void Outbox::add(Item&& item) {
    if (item.connection->closing()) return;
    ++item.connection->held_back;
    items_.push_back(std::move(item));
    if (items_.size() >= most) return flush();
    if (posted_) return;
    posted_ = true;
    loop_.post(work_);  // runs once the events of this turn are worked off
}

void Outbox::sign(std::vector<Item>& items) {
    SmallVector<crypto::SignJob, most> jobs;
    SmallVector<Bytes, most * 4> parts;
    std::size_t count = 0;
    for (const Item& item : items) count += item.signer ? item.pieces.size() : 0;
    if (count == 0) return;
    parts.reserve(count);  // the jobs point into it
    for (Item& item : items) {
        if (!item.signer) continue;
        const std::size_t begin = parts.size();
        for (const Buffer& piece : item.pieces) parts.push_back(piece.bytes());
        jobs.push_back({item.signer.get(), std::span<const Bytes>(parts).subspan(begin),
                        item.fields, fail(NtStatus::INTERNAL_ERROR), &item});
    }
    crypto::sign_all(jobs);
    for (const crypto::SignJob& job : jobs) {
        auto& item = *static_cast<Item*>(job.cookie);
        if (job.signature) {
            std::memcpy(item.pieces[0].data() + wire::signature_offset, job.signature->data(),
                        job.signature->size());
        }
    }
}

void Outbox::seal(std::vector<Item>& items) {
    SmallVector<crypto::SealJob, most> jobs;
    SmallVector<MutableBytes, most * 4> parts;
    std::size_t count = 0;
    for (const Item& item : items) count += item.session ? item.pieces.size() : 0;
    if (count == 0) return;
    parts.reserve(count);
    for (Item& item : items) {
        if (!item.session) continue;
        const std::size_t begin = parts.size();
        for (Buffer& piece : std::span(item.pieces).subspan(1)) {
            parts.push_back(piece.mutable_bytes());
        }
        const std::span<std::byte, crypto::Aead::transform_size> head(item.pieces[0].data(),
                                                                      item.pieces[0].size());
        jobs.push_back({item.session->keys.encryption.get(),
                        head,
                        std::span<const MutableBytes>(parts).subspan(begin),
                        {},
                        &item});
    }
    crypto::seal_all(jobs);
    for (const crypto::SealJob& job : jobs) {
        static_cast<Item*>(job.cookie)->failed = !job.result;
    }
}

void Outbox::flush() {
    if (flushing_ || items_.empty()) return;
    flushing_ = true;
    spare_.clear();
    std::swap(items_, spare_);
    sign(spare_);
    seal(spare_);
    for (Item& item : spare_) {
        if (item.connection != nullptr) --item.connection->held_back;
    }
    for (Item& item : spare_) {
        if (item.connection == nullptr) continue;
        if (item.failed) {
            item.connection->disconnect("a response could not be encrypted");
        } else {
            item.connection->send(std::move(item.pieces));
        }
    }
    spare_.clear();
    flushing_ = false;
}

void Outbox::forget(Connection& connection) {
    connection.held_back = 0;
    for (std::vector<Item>* items : {&items_, &spare_}) {
        for (Item& item : *items) {
            if (item.connection == &connection) item.connection = nullptr;
        }
    }
}

}  // namespace smb3d::engine
