// The stub of every operation of every service.  Bytes: interface, operation, flags (byte order,
// who calls), stub.
#include <memory>

#include "base/log.h"
#include "fuzz_bytes.h"
#include "pipe/info_record.h"
#include "pipe/interface.h"

namespace smb3d {

namespace {

class NdrFuzzView : public pipe::ServerView {
  public:
    pipe::ServerIdentity identity() const override { return {"NAS", "nas", "W", "comment"}; }
    std::vector<pipe::ShareEntry> shares(const Caller&) const override {
        pipe::ShareEntry share;
        share.name = "test";
        share.comment = "a comment";
        share.path = "/srv/test";
        pipe::ShareEntry ipc;
        ipc.name = "IPC$";
        ipc.ipc = true;
        return {share, ipc};
    }
    std::vector<pipe::SessionEntry> sessions() const override {
        return {{"192.0.2.1", "alice", 3, 60, 5, false, "tcp"}};
    }
    std::vector<pipe::ConnectionEntry> connections() const override {
        return {{5, "test", "192.0.2.1", "alice", false, 3, 60}};
    }
    std::vector<pipe::OpenEntry> opens() const override {
        return {{77, 3, 1, "test/file", "alice", "192.0.2.1"}};
    }
};

// What the reader itself promises, whatever it reads.
void read_primitives(Bytes stub, bool big_endian) {
    static constexpr pipe::LevelSchema levels[] = {{0, "s"}, {1, "sdsb"}, {2, "db"}};
    pipe::ndr::Reader enumeration(stub, big_endian);
    (void)pipe::read_enum_request(enumeration, levels);
    pipe::ndr::Reader reader(stub, big_endian);
    while (reader.ok() && reader.remaining() != 0) {
        const std::size_t before = reader.position();
        const std::string text = reader.string();
        fuzz::require(text.size() <= 3 * stub.size());
        fuzz::require(reader.position() >= before && reader.position() <= stub.size());
        fuzz::require(reader.conformance(8) <= stub.size() / 8);
    }
}

}  // namespace

}  // namespace smb3d

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace smb3d;
    log::set_level(log::Component::pipe, log::Level::off);
    if (size < 3) return 0;
    const auto services = pipe::pipe_services();
    const pipe::Interface& interface = *services[data[0] % services.size()].interface;
    const bool big_endian = (data[2] & 1) != 0;
    const Bytes stub = fuzz::bytes_of(data, size).subspan(3);
    read_primitives(stub, big_endian);

    const std::size_t number = data[1] % interface.operations.size();
    const pipe::Operation operation = interface.operations[number];
    if (operation == nullptr) return 0;
    Caller caller;
    caller.uid = (data[2] & 2) != 0 ? 0 : 1000;
    caller.anonymous = (data[2] & 4) != 0;
    const NdrFuzzView view;
    std::vector<pipe::ndr::ContextHandle> handles;
    pipe::RpcCounters counters;
    pipe::Call call{caller, view, handles, counters};
    pipe::ndr::Reader in(stub, big_endian);
    pipe::ndr::Writer out;
    const pipe::Fault fault = operation(call, in, out);
    // Answers end with a status; a call that was not understood has none, and one that was is not a
    // fault.
    fuzz::require(fault != pipe::Fault::none || out.size() >= 4);
    fuzz::require(fault != pipe::Fault::bad_stub_data || out.size() == 0);
    fuzz::require(handles.size() <= 1);
    return 0;
}
