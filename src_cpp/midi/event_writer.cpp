#include "midi/event_writer.h"

#include <bit>
#include <string>

#include "error.h"
#include "midi/midi_file.h"

namespace midigpt {
namespace {

void put_big_endian(std::vector<std::uint8_t>& out, std::uint32_t value, int n_bytes) {
  for (int i = n_bytes - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void put_number(std::vector<std::uint8_t>& out, std::int64_t value) {
  std::uint8_t digits[4];
  int n = 0;
  do {
    digits[n++] = static_cast<std::uint8_t>(value & 0x7F);
    value >>= 7;
  } while (value > 0);
  while (n > 1) out.push_back(digits[--n] | 0x80);
  out.push_back(digits[0]);
}

}  // namespace

EventWriter::EventWriter(int format, int n_tracks, int division, bool running_status) : use_running_status_(running_status) {
  verbatim(std::vector<std::uint8_t>{'M', 'T', 'h', 'd'});
  put_big_endian(bytes_, 6, 4);
  put_big_endian(bytes_, static_cast<std::uint32_t>(format), 2);
  put_big_endian(bytes_, static_cast<std::uint32_t>(n_tracks), 2);
  put_big_endian(bytes_, static_cast<std::uint32_t>(division), 2);
}

void EventWriter::begin_track() {
  verbatim(std::vector<std::uint8_t>{'M', 'T', 'r', 'k', 0, 0, 0, 0});
  track_start_ = bytes_.size();
  tick_ = 0;
  running_ = 0;
}

void EventWriter::event(std::int64_t tick, std::uint8_t status, std::span<const std::uint8_t> data) {
  const std::int64_t delta = tick - tick_;
  if (delta < 0 || delta > midi::kMaxDelta) {
    throw ScoreError("an event at tick " + std::to_string(tick) + " is too far from the one before for a MIDI file");
  }
  tick_ = tick;
  put_number(bytes_, delta);
  const bool is_channel = status < 0xF0;
  const bool like_status = !data.empty() && data[0] >= 0x80;  // of a damaged file: it would be read as a status byte
  if (!use_running_status_ || !is_channel || status != running_ || like_status) bytes_.push_back(status);
  running_ = is_channel ? status : 0;  // readers differ on whether other events keep the running status
  raw(data);
}

void EventWriter::end_track() {
  const std::size_t size = bytes_.size() - track_start_;
  if (size > UINT32_MAX) throw ScoreError("a track chunk would be larger than 4 GiB");
  for (std::size_t i = 0; i < 4; ++i) bytes_[track_start_ - 4 + i] = static_cast<std::uint8_t>(size >> (8 * (3 - i)));
}

std::vector<std::uint8_t> meta_data(std::uint8_t type, std::span<const std::uint8_t> content) {
  std::vector<std::uint8_t> out{type};
  put_number(out, static_cast<std::int64_t>(content.size()));
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

std::vector<std::uint8_t> text_meta_data(std::uint8_t type, std::string_view text) {
  if (text.size() > static_cast<std::size_t>(midi::kMaxDelta)) throw ScoreError("a text is too long for a MIDI file");
  return meta_data(type, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

std::vector<std::uint8_t> port_data(int port) {
  const std::uint8_t content[] = {static_cast<std::uint8_t>(port)};
  return meta_data(midi::kPort, content);
}

std::vector<std::uint8_t> tempo_data(std::int32_t microseconds_per_quarter) {
  if (microseconds_per_quarter < 0 || microseconds_per_quarter > 0xFFFFFF) {
    throw ScoreError("a tempo of " + std::to_string(microseconds_per_quarter) + " microseconds per quarter note cannot be written; allowed: 0..16777215");
  }
  std::vector<std::uint8_t> content;
  put_big_endian(content, static_cast<std::uint32_t>(microseconds_per_quarter), 3);
  return meta_data(midi::kTempo, content);
}

std::vector<std::uint8_t> time_signature_data(std::int32_t numerator, std::int32_t denominator) {
  const auto power = static_cast<std::uint32_t>(denominator);
  if (numerator < 0 || numerator > 255 || denominator < 1 || denominator > 128 || !std::has_single_bit(power)) {
    throw ScoreError("a time signature of " + std::to_string(numerator) + "/" + std::to_string(denominator) +
                     " cannot be written; allowed: 0..255 over a power of two up to 128");
  }
  const std::uint8_t content[] = {static_cast<std::uint8_t>(numerator), static_cast<std::uint8_t>(std::countr_zero(power)), 24, 8};
  return meta_data(midi::kTimeSignature, content);
}

}  // namespace midigpt
