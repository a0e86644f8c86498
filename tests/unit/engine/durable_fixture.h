// What tests of durable and persistent handles share: the contexts of their CREATEs, and a server
// whose persistent handles are on disk.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "base/guarded.h"
#include "client/contexts.h"
#include "client/test_client.h"
#include "wire/create_context.h"

namespace smb3d::test {

using wire::CreateDisposition;
using wire::OplockLevel;

constexpr wire::Guid guid_of(std::uint8_t n) {
    wire::Guid guid{};
    guid.fill(n);
    return guid;
}

constexpr std::uint32_t rwh = 7;

// The contexts of one CREATE.
struct Contexts {
    wire::CreateContextBuilder builder;
    Contexts& dhnq() {
        builder.add(wire::tag::dhnq, wire::DurableHandleRequest{});
        return *this;
    }
    Contexts& dhnc(wire::FileId id) {
        builder.add(wire::tag::dhnc, wire::DurableHandleReconnect{id});
        return *this;
    }
    Contexts& dh2q(std::uint8_t guid, bool persistent = false, std::uint32_t timeout = 0) {
        wire::DurableHandleRequestV2 request;
        request.timeout = timeout;
        request.flags = persistent ? wire::dhandle_flag_persistent : 0;
        request.create_guid = guid_of(guid);
        builder.add(wire::tag::dh2q, request);
        return *this;
    }
    Contexts& dh2c(wire::FileId id, std::uint8_t guid, bool persistent = false) {
        wire::DurableHandleReconnectV2 request;
        request.file_id = id;
        request.flags = persistent ? wire::dhandle_flag_persistent : 0;
        request.create_guid = guid_of(guid);
        builder.add(wire::tag::dh2c, request);
        return *this;
    }
    Contexts& lease(std::uint8_t key, std::uint32_t state = rwh) {
        wire::LeaseV2 lease;
        lease.lease_key = guid_of(key);
        lease.lease_state = state;
        builder.add(wire::tag::rqls, lease);
        return *this;
    }
    Contexts& instance(std::uint8_t id) {
        builder.add(wire::tag::app_instance_id, wire::AppInstanceId{guid_of(id)});
        return *this;
    }
    Contexts& version(std::uint64_t high, std::uint64_t low) {
        builder.add(wire::tag::app_instance_version, wire::AppInstanceVersion{high, low});
        return *this;
    }
    operator Message() const {  // NOLINT: a value of these contexts
        const Bytes bytes = builder.bytes();
        return {bytes.begin(), bytes.end()};
    }
};

inline bool is_durable_v2(const Reply& reply) {
    return context_of<wire::DurableHandleResponseV2>(reply, wire::tag::dh2q).has_value();
}
inline bool is_persistent(const Reply& reply) {
    const auto answer = context_of<wire::DurableHandleResponseV2>(reply, wire::tag::dh2q);
    return answer && (answer->flags & wire::dhandle_flag_persistent) != 0;
}
inline wire::FileId id_of(const Reply& reply) { return reply.body<wire::CreateResponse>().file_id; }

inline CreateOptions batch(const Message& contexts) {
    return {.share = 0, .oplock = OplockLevel::batch, .contexts = contexts};
}
inline CreateOptions leased(const Message& contexts) {
    return {.oplock = OplockLevel::lease, .contexts = contexts};
}

inline NegotiateOptions all_capabilities(std::uint16_t dialect = 0x0311) {
    NegotiateOptions options;
    options.dialects = {dialect};
    options.capabilities |= wire::capabilities::leasing | wire::capabilities::persistent_handles;
    return options;
}

class Persistent : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/smb3d-persistent-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
        start();
    }
    void TearDown() override {
        end();
        std::filesystem::remove_all(directory_);
    }
    void start() {
        durable::StoreOptions options;
        options.directory = directory_;
        options.map_size = std::size_t{1} << 24;
        options.fail = [this](std::uint64_t id) {
            const auto fails = *fails_.lock();
            return fails ? fails(id) : failure_.load();
        };
        options.on_step = [this](durable::Step step) {
            if (step == durable::Step::batch_taken) held_.wait(true);
        };
        auto store = durable::Store::open(std::move(options));
        ASSERT_TRUE(store) << store.error();
        store_ = std::move(*store);
        TestServerOptions server;
        server.loops = 2;
        server.configure = [](engine::ServerConfig& config) { config.oplock_break_seconds = 1; };
        server.policy = [](engine::SharePolicy& policy) { policy.continuous_availability = true; };
        server.share = share_;
        server.store = store_;
        server_ = std::make_unique<TestServer>(std::move(server));
        share_ = server_->shared_share();
    }
    void end() {
        let_store_go();
        if (server_) server_->stop();
        server_.reset();
        if (store_) store_->close();
        store_.reset();
    }
    std::unique_ptr<TestClient> client(std::uint8_t guid = 0xC1) {
        auto made = std::make_unique<TestClient>(*server_);
        made->client_guid.fill(guid);
        EXPECT_TRUE(made->negotiate(all_capabilities()).ok());
        EXPECT_TRUE(made->session_setup("alice").ok());
        const Reply tree = made->tree_connect("data");
        EXPECT_NE(tree.body<wire::TreeConnectResponse>().capabilities &
                      wire::share_capabilities::continuous_availability,
                  0U);
        return made;
    }

    // What has been asked for is written: a CREATE's answer does not wait for all of it.
    void store_settled() {
        std::promise<void> settled;
        const auto done = [](void* promise, Result<void>&&) {
            static_cast<std::promise<void>*>(promise)->set_value();
        };
        store_->barrier(vfs::Done<void>(done, &settled));
        settled.get_future().wait();
    }
    // Nothing reaches the disk until let_store_go().
    void hold_store() { held_ = true; }
    void let_store_go() {
        held_ = false;
        held_.notify_all();
    }

    std::atomic<int> failure_{0};  // what writing a record fails with
    // ... if that depends.
    Guarded<std::function<int(std::uint64_t)>, Rank::leaf> fails_;
    std::atomic<bool> held_{false};
    std::string directory_;
    std::shared_ptr<durable::Store> store_;
    std::shared_ptr<MemoryShare> share_;
    std::unique_ptr<TestServer> server_;
};

}  // namespace smb3d::test
