#include "unit/wire/every_structure.h"

#include "fscc/structure_list.h"

namespace smb3d::fscc {

using wire::test::Mutation;
using wire::test::RoundTrip;
using wire::test::Truncation;

TEST(EveryStructure, FileClassesRoundTrip) { FileStructures::for_each(RoundTrip{}); }
TEST(EveryStructure, FsClassesRoundTrip) { FsStructures::for_each(RoundTrip{}); }
TEST(EveryStructure, FsctlPayloadsRoundTrip) { FsctlStructures::for_each(RoundTrip{}); }
TEST(EveryStructure, TruncatedFileClasses) { FileStructures::for_each(Truncation{}); }
TEST(EveryStructure, TruncatedFsClasses) { FsStructures::for_each(Truncation{}); }
TEST(EveryStructure, TruncatedFsctlPayloads) { FsctlStructures::for_each(Truncation{}); }
TEST(EveryStructure, MutatedFileClasses) { FileStructures::for_each(Mutation{}); }
TEST(EveryStructure, MutatedFsClasses) { FsStructures::for_each(Mutation{}); }
TEST(EveryStructure, MutatedFsctlPayloads) { FsctlStructures::for_each(Mutation{}); }

}  // namespace smb3d::fscc
