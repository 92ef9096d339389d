// A kernel's fingerprint is that of its own generator: of every file that it is compiled from, and of no
// other.
#include "generator_sources.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>

#include "atomic_file.h"
#include "scratch_folder.h"

namespace lookupffn {
namespace {

using Names = std::set<std::string>;

class GeneratorSources : public testing::Test {
 protected:
  GeneratorSources() {
    write("hash_generator.cc",
          "#include \"Halide.h\"\n#include \"norm.h\"\n#include \"types.h\"\nint hash() { return 1; }\n");
    write("gather_generator.cc",
          "#include \"prefetch.h\"\n  #  include \"types.h\"\nint gather() { return 2; }\n");
    write("norm.h", "#include \"order.h\"\n#include <vector>\n");
    write("order.h", "#include \"norm.h\"\n");  // a circle
    write("prefetch.h", "int prefetch();\n");
    write("prefetch.cc", "#include \"prefetch.h\"\n#include \"lines.h\"\nint prefetch() { return 64; }\n");
    write("lines.h", "constexpr int kLine = 64;\n");
    write("types.h", "constexpr int kTypes = 3;\n");
  }

  void write(const std::string& name, const std::string& text) const {
    write_file_atomically(folder_.file(name), text);
  }
  std::string hash(const std::string& kernel) const { return generator_sources_hash(folder_.path(), kernel); }
  // The hash of "hash" where its generator holds this text.
  std::string hash_of(const std::string& text) const {
    write("hash_generator.cc", text);
    return hash("hash");
  }

  ScratchFolder folder_;
};

TEST_F(GeneratorSources, AreWhatIsIncludedAndWhatDefinesIt) {
  EXPECT_EQ(generator_sources(folder_.path(), "hash"),
            (Names{"hash_generator.cc", "norm.h", "order.h", "types.h"}));
  EXPECT_EQ(generator_sources(folder_.path(), "gather"),
            (Names{"gather_generator.cc", "lines.h", "prefetch.cc", "prefetch.h", "types.h"}));
  EXPECT_THROW(generator_sources(folder_.path(), "scatter"), std::runtime_error);
}

TEST_F(GeneratorSources, AnotherGeneratorDoesNotMatter) {
  const std::string hash_before = hash("hash"), gather_before = hash("gather");
  EXPECT_NE(hash_before, gather_before);
  write("gather_generator.cc", "#include \"prefetch.h\"\n#include \"types.h\"\nint gather() { return 3; }\n");
  write("prefetch.cc", "int prefetch() { return 128; }\n");
  write("scatter_generator.cc", "int scatter() { return 4; }\n");
  EXPECT_EQ(hash("hash"), hash_before);
  EXPECT_NE(hash("gather"), gather_before);
}

TEST_F(GeneratorSources, EveryFileOfItsOwnMatters) {
  for (const std::string kernel : {"hash", "gather"}) {
    for (const std::string& name : generator_sources(folder_.path(), kernel)) {
      const std::string before = hash(kernel), text = read_file(folder_.file(name));
      write(name, text + "int more;\n");
      EXPECT_NE(hash(kernel), before) << kernel << ", " << name;
      write(name, text);
      EXPECT_EQ(hash(kernel), before) << kernel << ", " << name;
    }
  }
  // So does one that comes to be: the definitions of a header that had none.
  const std::string before = hash("hash");
  write("norm.cc", "int norm() { return 5; }\n");
  EXPECT_NE(hash("hash"), before);
}

TEST_F(GeneratorSources, CommentsAndLayoutDoNotMatter) {
  const std::string plain = hash_of("int f(int a) {\n  return g(a, 1'000) + \" // text\"[0] + '\"';\n}\n");
  EXPECT_EQ(hash_of("// Says why.\nint f( int  a ) { return g(a,\n   1'000) /* once */ + \" // text\"[0] + "
                    "'\"'; } // end\n"),
            plain);
  EXPECT_NE(hash_of("int f(int a) {\n  return g(a, 1'000) + \" // other text\"[0] + '\"';\n}\n"), plain);
  EXPECT_NE(hash_of("int f(int a) {\n  return g(a, 1'001) + \" // text\"[0] + '\"';\n}\n"), plain);
  EXPECT_NE(hash_of("int f(inta) {\n  return g(a, 1'000) + \" // text\"[0] + '\"';\n}\n"), plain);
  // Within literals both are code.
  EXPECT_NE(hash_of("auto s = R\"x(\")\" // a)x\";"), hash_of("auto s = R\"x(\")\" // b)x\";"));
  EXPECT_NE(hash_of("auto s = \"a \\\"  b\";"), hash_of("auto s = \"a \\\" b\";"));
}

TEST_F(GeneratorSources, WhatIsCutShortIsRead) {
  for (const char* text : {"", "/*", "//", "\"", "'", "\"\\", "R\"", "R\"(", "#include \""})
    EXPECT_EQ(hash_of(text).size(), 16u);
}

TEST(GeneratorsOfThisTree, ShareNoMoreThanTheirHeaders) {
  const Names of_hash = generator_sources(LOOKUPFFN_GENERATOR_SOURCES, "hash"),
              of_gather = generator_sources(LOOKUPFFN_GENERATOR_SOURCES, "gather");
  EXPECT_EQ(of_hash.count("multiply_add.h"), 1u);
  EXPECT_EQ(of_gather.count("row_prefetch.cc"), 1u);
  const std::string suffix = "_generator.cc";
  for (const Names& names : {of_hash, of_gather}) {
    size_t generators = 0;
    for (const std::string& name : names) {
      generators += name.size() > suffix.size() && name.substr(name.size() - suffix.size()) == suffix;
    }
    EXPECT_EQ(generators, 1u);
  }
}

}  // namespace
}  // namespace lookupffn
