// Outbox: responses of one loop's turn that are signed or sealed together.
//
// Purpose: AES-CMAC and AES-CCM of several messages at once cost hardly more than of one
//   (crypto/batch.h).  What several connections of a loop, or several requests of one, have to send
//   within a turn is collected and goes out at its end.
// Spec: [MS-SMB2] 3.1.4.1, 3.1.4.3.
// Thread: its loop.
// Lifetime: LoopState's; a connection that closes is forgotten.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "crypto/signer.h"
#include "smb3d/buffer.h"
#include "smb3d/loop.h"

namespace smb3d::engine {

class Connection;
class Session;

class Outbox {
  public:
    explicit Outbox(Loop& loop);
    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;

    // A message in `pieces`, the header first and marked as signed.
    void add_to_sign(Connection& connection, BufferChain&& pieces,
                     std::shared_ptr<const crypto::Signer> signer,
                     const crypto::SigningFields& fields);
    // The transform header is the first piece.
    void add_to_seal(Connection& connection, BufferChain&& pieces,
                     std::shared_ptr<const Session> session);
    // Protects and sends all there is, in the order in which it came.
    void flush();
    // Nothing is sent to this connection any more.
    void forget(Connection& connection);

  private:
    static constexpr std::size_t most = 8;  // as many as go side by side

    struct Item {
        Connection* connection{nullptr};  // null: forgotten
        BufferChain pieces;
        std::shared_ptr<const crypto::Signer> signer;
        crypto::SigningFields fields;
        std::shared_ptr<const Session> session;
        bool failed{false};
    };
    void add(Item&& item);
    static void sign(std::vector<Item>& items);
    static void seal(std::vector<Item>& items);

    Loop& loop_;
    std::vector<Item> items_;
    std::vector<Item> spare_;  // the other one of two vectors that keep their memory
    bool flushing_{false};
    bool posted_{false};
    struct FlushWork : Work {
        Outbox* outbox{nullptr};
    } work_{};
};

}  // namespace smb3d::engine
