// SPDX-License-Identifier: Apache-2.0
// What the recorder's tests share: a directory that goes away, files in it, and seeded randomness.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "recorder/cast_encoder.h"
#include "recorder/cast_reader.h"
#include "recorder/store_paths.h"

namespace ptygate::recorder::testing {

class TempDir {
 public:
  TempDir() {
    // Memory where there is some: these tests sync thousands of times.
    const bool has_memory = access("/dev/shm", W_OK) == 0;
    const std::filesystem::path base = has_memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
    std::string pattern = (base / "ptygate-recorder-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
    fd_ = std::move(*openDirectory(path_.string()));
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
  Fd fd_;
};

inline std::string readFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void writeFile(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline SessionId sessionId(std::string_view text = "20261120-100732-k7f3a") {
  return *SessionId::parse(text);
}

inline WallTime wall(std::string_view text = "2026-11-20T10:07:32.123Z") {
  return *parseTime(text);
}

/// What a cast holds, by stream, exactly.
struct Streams {
  std::string output;
  std::string error;
  std::string input;
  std::vector<std::string> keys;
  std::vector<std::string> markers;
  std::vector<std::uint32_t> secrets;
  std::vector<std::uint32_t> exits;
  bool whole = true;
  std::string problem;
};

/// Decodes cast lines; with a header when `has_header`.
inline Streams decode(std::string text, bool has_header = false) {
  Streams out;
  CastReader reader(std::move(text));
  if (has_header) {
    if (auto header = reader.header(); !header) out.problem = header.error().text;
  }
  CastDecoder decoder;
  while (out.problem.empty()) {
    auto line = reader.next();
    if (!line) out.problem = line.error().text;
    if (!line || !*line) break;
    auto event = decoder.apply(std::move(**line));
    if (!event) out.problem = event.error().text;
    if (!event || !*event) continue;
    switch ((*event)->kind) {
      case CastEvent::Kind::Output:
        out.output += (*event)->bytes;
        break;
      case CastEvent::Kind::Error:
        out.error += (*event)->bytes;
        break;
      case CastEvent::Kind::Stdin:
        out.input += (*event)->bytes;
        break;
      case CastEvent::Kind::Key:
      case CastEvent::Kind::Input:
        out.keys.push_back((*event)->bytes);
        break;
      case CastEvent::Kind::Marker:
        out.markers.push_back((*event)->bytes);
        break;
      case CastEvent::Kind::Secret:
        out.secrets.push_back((*event)->number);
        break;
      case CastEvent::Kind::Exit:
        out.exits.push_back((*event)->number);
        break;
      case CastEvent::Kind::Resize:
        break;
    }
  }
  out.output += decoder.heldOutput();
  out.error += decoder.heldError();
  out.whole = decoder.isWhole() && reader.tornBytes() == 0;
  return out;
}

}  // namespace ptygate::recorder::testing
