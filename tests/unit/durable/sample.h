// A record with something in every field.
#pragma once

#include "durable/record.h"

namespace smb3d::durable {

inline Record sample(std::uint64_t id = 0x0000'0100'0000'0001) {
    Record record;
    record.persistent_id = id;
    record.share = "data";
    record.path = "folder/\xC3\xA4 file.txt";
    record.volume = 7;
    record.inode = 123456789;
    record.generation = 3;
    record.user = "alice";
    record.domain = "NAS";
    record.uid = 1000;
    record.gid = 100;
    record.groups = {100, 27, 4};
    record.sids = {{1, 2, 0, 0, 0, 0, 0, 22, 1, 0, 0, 0, 0xE8, 3, 0, 0}, {1, 1, 0}};
    record.privileges = 5;
    record.client_guid.fill(0x11);
    record.create_guid.fill(0x22);
    record.app_instance_id.emplace().fill(0x33);
    record.app_instance_version = {4, 5};
    record.granted_access = 0x0012'019F;
    record.share_access = 3;
    record.create_options = 0x42;
    record.timeout_ms = 60000;
    record.opened_at = 133'000'000'000'000'000;
    record.delete_on_close = true;
    record.lease.kind = Caching::lease;
    record.lease.key.fill(0x44);
    record.lease.parent_key.fill(0x55);
    record.lease.state = 7;
    record.lease.epoch = 9;
    record.lease.version = 2;
    record.locks = {{0, 100, true}, {1000, ~std::uint64_t{0} - 1000, false}};
    record.lock_sequence.assign(64, 0xFF);
    return record;
}

}  // namespace smb3d::durable
