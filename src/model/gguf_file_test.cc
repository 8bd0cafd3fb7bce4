// A file that gguf 0.19.0's GGUFWriter wrote, read, and what of it may be wrong.
#include "model/gguf_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

// "wan" with a file type, lists of texts and numbers and a flag; a bias of 4 F32 and a weight [4, 256] of Q4_K. Up to
// the data, which begin at 352: 16 bytes, and 576 from 32 on.
constexpr std::string_view written =
    "474755460300000002000000000000000500000000000000140000000000000067656e6572616c2e617263686974656374757265080000000300"
    "00000000000077616e110000000000000067656e6572616c2e66696c655f74797065040000000f0000000700000000000000782e6e616d657309"
    "000000080000000200000000000000010000000000000061020000000000000062630900000000000000782e6e756d6265727309000000050000"
    "0003000000000000000100000002000000030000000600000000000000782e666c616707000000011300000000000000626c6f636b732e302e66"
    "666e2e302e626961730100000004000000000000000000000000000000000000001500000000000000626c6f636b732e302e66666e2e302e7765"
    "69676874020000000001000000000000"
    "04000000000000000c00000020000000000000000000000000000000000000000000000000000000000000000000";

std::string header() {
  std::string out;
  for (size_t i = 0; i + 1 < written.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(written.substr(i, 2)), nullptr, 16));
  }
  return out;
}

class GgufFileTest : public testing::Test {
 protected:
  GgufFileTest() : root_(fs::temp_directory_path() / ("modelmeter_gguf_" + std::to_string(getpid()))) {
    fs::create_directories(root_);
  }
  ~GgufFileTest() override { fs::remove_all(root_); }

  GgufFile read(const std::string& bytes) const {
    const std::string path = (root_ / "model.gguf").string();
    std::ofstream(path, std::ios::binary) << bytes;
    return read_gguf(path);
  }
  std::string error(const std::string& bytes) const {
    try {
      read(bytes);
    } catch (const Error& e) {
      return e.message();
    }
    return "no error";
  }
  // With so many bytes of data behind the header, and one byte of it changed.
  static std::string file(size_t data = 608, size_t at = 0, char value = 'G') {
    std::string out = header();
    out[at] = value;
    return out + std::string(data, '\0');
  }

 private:
  fs::path root_;
};

TEST_F(GgufFileTest, AFileThatGgufsPackageWroteIsRead) {
  for (const std::string& bytes : {file(), header(), header().substr(0, 342)}) {  // with its data, and without
    const GgufFile read_back = read(bytes);
    EXPECT_EQ(read_back.architecture, "wan");
    EXPECT_EQ(read_back.data_offset, 352);
    ASSERT_EQ(read_back.tensors.size(), 2u);
    const GgufTensor& bias = read_back.tensors[0];
    const GgufTensor& weight = read_back.tensors[1];
    EXPECT_EQ(bias.name, "blocks.0.ffn.0.bias");
    EXPECT_EQ(bias.type_name, "F32");
    EXPECT_THAT(bias.sizes, ElementsAre(4));
    EXPECT_EQ(bias.bytes, 16);
    EXPECT_EQ(weight.type_name, "Q4_K");
    EXPECT_THAT(weight.sizes, ElementsAre(4, 256));
    EXPECT_EQ(weight.bytes, 4 * 144);
    EXPECT_EQ(weight.offset, 32);
    EXPECT_EQ(read_back.tensor_bytes(), 592);
  }
}

TEST_F(GgufFileTest, EveryCutIsAnErrorWithItsOffset) {
  const std::string whole = header();
  for (size_t length = 0; length < 326; ++length) {
    EXPECT_THAT(error(whole.substr(0, length)), HasSubstr("offset")) << length;
  }
  EXPECT_THAT(error(file(607)), HasSubstr("has 576 bytes from 32 of the data, which end at 607: the file is cut"));
  EXPECT_THAT(error(whole.substr(0, 100)), HasSubstr("offset 100: the file ends within a key"));
}

TEST_F(GgufFileTest, WhatCannotBeIsAnError) {
  EXPECT_THAT(error(file(608, 0, 'X')), HasSubstr("offset 0: no GGUF file"));
  EXPECT_THAT(error(file(608, 4, 9)), HasSubstr("GGUF of version 9"));
  EXPECT_THAT(error(file(608, 15, 1)), HasSubstr("offset 8: the number of tensors is"));
  EXPECT_THAT(error(file(608, 21, 1)), HasSubstr("the number of keys is"));
}

// The weight's entry ends with its sizes, its type and its place.
TEST_F(GgufFileTest, SizesThatLieAreAnError) {
  const size_t columns = header().find("ffn.0.weight") + 12 + 4;
  EXPECT_THAT(error(file(608, columns, 1)), HasSubstr("rows of 257 values, which are not whole blocks of 256 (Q4_K)"));
  EXPECT_THAT(error(file(608, columns + 8, 8)), HasSubstr("has 1152 bytes from 32 of the data"));
  EXPECT_THAT(error(file(608, columns + 15, 0x7f)), HasSubstr("overflow"));
  EXPECT_THAT(error(file(608, columns + 7, static_cast<char>(0x80))), HasSubstr("the size of a tensor is"));
  EXPECT_THAT(error(file(608, columns + 16, 99)), HasSubstr("is of type 99, which is not known"));
  // 2^61 + 4 values of 4 bytes.
  const size_t values = header().find("ffn.0.bias") + 10 + 4;
  EXPECT_THAT(error(file(608, values + 7, 0x20)), HasSubstr("the size of 'blocks.0.ffn.0.bias' overflows"));
  EXPECT_THAT(error(file(608, columns + 20, 0)), HasSubstr("within 'blocks.0.ffn.0."));
  EXPECT_THAT(error(file(608, columns + 20, 33)), HasSubstr("begins at 33 of the data, no multiple of 32"));
}

}  // namespace
}  // namespace modelmeter
