#include "midi/midi_file.h"

#include <algorithm>
#include <string_view>

#include "error.h"

namespace midigpt {
namespace {

constexpr std::size_t kHeaderSize = 14;
constexpr std::size_t kChunkHeaderSize = 8;
constexpr std::size_t kMaxFileSize = std::size_t{1} << 30;  // events take two bytes at least, so that their numbers fit 32 bits
constexpr int kMaxNumberBytes = 4;  // of a variable-length number

[[noreturn]] void fail(std::size_t at, const std::string& what) { throw ScoreError("MIDI byte " + std::to_string(at) + ": " + what); }

std::uint32_t big_endian_32(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at]) << 24 | static_cast<std::uint32_t>(bytes[at + 1]) << 16 |
         static_cast<std::uint32_t>(bytes[at + 2]) << 8 | static_cast<std::uint32_t>(bytes[at + 3]);
}

int big_endian_16(std::span<const std::uint8_t> bytes, std::size_t at) { return bytes[at] << 8 | bytes[at + 1]; }

bool starts_with(std::span<const std::uint8_t> bytes, std::size_t at, std::string_view id) {
  return std::equal(id.begin(), id.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

// How many data bytes follow a status byte that is neither a meta event nor a SysEx.
std::uint32_t data_size(std::uint8_t status) {
  if (status < 0xF0) return (status & 0xF0) == midi::kProgram || (status & 0xF0) == midi::kPressure ? 1 : 2;
  if (status == 0xF2) return 2;
  return status == 0xF1 || status == 0xF3 ? 1 : 0;  // undefined and real-time bytes stand alone
}

// Reads one track chunk event by event.
class TrackParser {
 public:
  TrackParser(MidiFile& file, MidiChunk& chunk, std::uint32_t index)
      : file_(file), chunk_(chunk), at_(chunk.offset), end_(std::size_t{chunk.offset} + chunk.size), index_(index) {}

  void run() {
    chunk_.first_event = static_cast<std::uint32_t>(file_.events.size());
    bool ended = false;
    while (!ended && at_ < end_) {
      tick_ += number("a delta time");
      ended = event();
    }
    chunk_.n_events = static_cast<std::uint32_t>(file_.events.size()) - chunk_.first_event;
    chunk_.events_end = static_cast<std::uint32_t>(at_);
  }

 private:
  std::uint8_t byte(const char* what) {
    if (at_ >= end_) fail(at_, std::string("the track chunk ends inside ") + what);
    return file_.bytes[at_++];
  }

  std::int64_t number(const char* what) {
    const std::size_t start = at_;
    std::int64_t value = 0;
    for (int i = 0; i < kMaxNumberBytes; ++i) {
      const std::uint8_t next = byte(what);
      value = value << 7 | (next & 0x7F);
      if (next < 0x80) return value;
    }
    fail(start, std::string(what) + " is longer than four bytes");
  }

  // Returns whether this was the end of the track.
  bool event() {
    std::uint8_t status = byte("an event");
    if (status < 0x80) {
      if (running_ == 0) fail(at_ - 1, "a data byte without a status byte before it");
      --at_;
      status = running_;
      file_.running_status = true;
    } else if (status < 0xF0) {
      running_ = status;
    }
    const std::size_t start = at_;
    if (status == midi::kMeta) byte("a meta event");
    if (status == midi::kMeta || status == 0xF0 || status == 0xF7) {
      skip(static_cast<std::size_t>(number("the length of an event")));
    } else {
      skip(data_size(status));
    }
    file_.events.push_back({tick_, index_, static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(at_ - start), status});
    return status == midi::kMeta && file_.bytes[start] == midi::kEndOfTrack;
  }

  void skip(std::size_t n) {
    if (n > end_ - at_) fail(at_, "an event of " + std::to_string(n) + " bytes runs past the end of its track chunk");
    at_ += n;
  }

  MidiFile& file_;
  MidiChunk& chunk_;
  std::size_t at_;
  std::size_t end_;
  std::uint32_t index_;
  std::int64_t tick_ = 0;
  std::uint8_t running_ = 0;
};

void parse_header(MidiFile& file) {
  const std::span<const std::uint8_t> bytes(file.bytes);
  if (bytes.size() < kHeaderSize) fail(0, "the file has " + std::to_string(bytes.size()) + " bytes; a MIDI file has at least 14");
  if (bytes.size() > kMaxFileSize) fail(0, "the file is larger than 1 GiB");
  if (!starts_with(bytes, 0, "MThd")) fail(0, "not a MIDI file: it does not start with 'MThd'");
  if (big_endian_32(bytes, 4) != 6) fail(4, "the header's length is " + std::to_string(big_endian_32(bytes, 4)) + ", not 6");
  file.format = big_endian_16(bytes, 8);
  if (file.format > 2) fail(8, "format " + std::to_string(file.format) + " is unknown; 0, 1 and 2 exist");
  file.announced_tracks = big_endian_16(bytes, 10);
  file.division = big_endian_16(bytes, 12);
  if (file.division & 0x8000) fail(12, "times in SMPTE frames are not supported, only ticks per quarter note");
  file.ticks_per_quarter = file.division == 0 ? 480 : file.division;
}

}  // namespace

std::span<const std::uint8_t> MidiFile::meta_payload(const MidiEvent& event) const {
  const auto all = data(event);
  std::size_t at = 1;
  while (at < all.size() && all[at] >= 0x80) ++at;  // the length
  return all.subspan(std::min(at + 1, all.size()));
}

std::span<const MidiEvent> MidiFile::chunk_events(std::size_t track_chunk) const {
  const MidiChunk& chunk = chunks[track_chunks[track_chunk]];
  return std::span(events).subspan(chunk.first_event, chunk.n_events);
}

std::string MidiFile::chunk_name(std::size_t track_chunk) const {
  for (const MidiEvent& event : chunk_events(track_chunk)) {
    if (!is_meta(event, midi::kTrackName)) continue;
    const auto name = meta_payload(event);
    return {name.begin(), name.end()};
  }
  return {};
}

MidiFile parse_midi(std::vector<std::uint8_t> bytes) {
  MidiFile file;
  file.bytes = std::move(bytes);
  parse_header(file);
  std::size_t at = kHeaderSize;
  while (file.track_chunks.size() < static_cast<std::size_t>(file.announced_tracks) && file.bytes.size() - at >= kChunkHeaderSize) {
    MidiChunk chunk;
    std::copy_n(file.bytes.begin() + static_cast<std::ptrdiff_t>(at), 4, chunk.id.begin());
    chunk.size = big_endian_32(file.bytes, at + 4);
    chunk.offset = static_cast<std::uint32_t>(at + kChunkHeaderSize);
    chunk.is_track = starts_with(file.bytes, at, "MTrk");
    if (chunk.size > file.bytes.size() - chunk.offset) {
      fail(at + 4, "a chunk of " + std::to_string(chunk.size) + " bytes runs past the end of the file");
    }
    if (chunk.is_track) {
      TrackParser(file, chunk, static_cast<std::uint32_t>(file.track_chunks.size())).run();
      file.track_chunks.push_back(static_cast<std::uint32_t>(file.chunks.size()));
    }
    file.chunks.push_back(chunk);
    at = std::size_t{chunk.offset} + chunk.size;
  }
  file.tail_offset = static_cast<std::uint32_t>(at);
  return file;
}

}  // namespace midigpt
