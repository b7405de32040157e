// Runs a fuzz target without libFuzzer: over every file of the folders named on the command line,
// and over simple changes of each, the same ones in every run. So what a fuzzer has once found
// stays found by the ordinary tests, under every compiler and sanitizer.

#include "tests/support/sim_random.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using input = std::vector<std::uint8_t>;

constexpr int k_changes_per_file = 20;

void run(const input& bytes) {
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

input changed(input bytes, cairn::testing::sim_random& random) {
  const auto at = [&] { return static_cast<std::ptrdiff_t>(random.below(bytes.size())); };
  switch (bytes.empty() ? 3 : random.below(4)) {
    case 0:
      bytes[static_cast<std::size_t>(at())] ^= static_cast<std::uint8_t>(1U << random.below(8));
      break;
    case 1:
      bytes.resize(static_cast<std::size_t>(at()));
      break;
    case 2:
      bytes.erase(bytes.begin() + at());
      break;
    default:
      bytes.insert(bytes.end(), 1 + random.below(16), static_cast<std::uint8_t>(random.next()));
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    std::fputs("no inputs: name a folder with a corpus\n", stderr);
    return 1;
  }
  cairn::testing::sim_random random(1);
  run({});
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const input bytes{std::istreambuf_iterator<char>(in), {}};
    run(bytes);
    for (int i = 0; i < k_changes_per_file; ++i)
      run(changed(bytes, random));
  }
  std::printf("%zu inputs and %d changes of each\n", files.size(), k_changes_per_file);
  return 0;
}
