#include "score/channel_pool.h"

#include <algorithm>

#include "error.h"

namespace midigpt {
namespace {

constexpr std::size_t kInTurn = 15;  // tracks that get a channel by their place
constexpr int kMaxPorts = 128;

int channel_in_turn(std::size_t index) {
  const int slot = static_cast<int>(index % kInTurn);
  return slot < midi::kDrumChannel ? slot : slot + 1;
}

}  // namespace

int chunk_port(const MidiFile& file, std::size_t track_chunk) {
  for (const MidiEvent& event : file.chunk_events(track_chunk)) {
    if (!file.is_meta(event, midi::kPort)) continue;
    const auto content = file.meta_payload(event);
    return content.empty() ? 0 : content[0];
  }
  return 0;
}

ChannelPool::ChannelPool(const MidiFile& file, const std::vector<SourceTrack>& tracks) {
  std::vector<int> ports;
  for (std::size_t chunk = 0; chunk < file.track_chunks.size(); ++chunk) ports.push_back(chunk_port(file, chunk) % kMaxPorts);
  for (const MidiEvent& event : file.events) {  // a channel with controllers alone is in use, and nobody's to share
    if (event.is_channel() && port(ports[event.chunk])[static_cast<std::size_t>(event.channel())] == kFree) {
      port(ports[event.chunk])[static_cast<std::size_t>(event.channel())] = kMixed;
    }
  }
  std::vector<bool> seen(ports_.size() * 16, false);
  for (const SourceTrack& track : tracks) {
    const auto number = static_cast<std::size_t>(ports[track.chunk]), channel = static_cast<std::size_t>(track.channel);
    int& program = port(ports[track.chunk])[channel];
    if (number * 16 + channel >= seen.size()) seen.resize(number * 16 + 16, false);
    program = !seen[number * 16 + channel] || program == track.program ? track.program : kMixed;
    seen[number * 16 + channel] = true;
  }
}

ChannelPool::Port& ChannelPool::port(int number) {
  while (ports_.size() <= static_cast<std::size_t>(number)) ports_.emplace_back().fill(kFree);
  return ports_[static_cast<std::size_t>(number)];
}

void ChannelPool::occupy(Seat seat, int program) {
  int& held = port(seat.port)[static_cast<std::size_t>(seat.channel)];
  held = held == kFree || held == program ? program : kMixed;
}

Seat ChannelPool::take(bool is_drum, int program) {
  if (is_drum) return {0, midi::kDrumChannel};
  for (const int wanted : {kFree, program}) {
    for (int channel = 0; channel < 16; ++channel) {
      if (channel == midi::kDrumChannel || port(0)[static_cast<std::size_t>(channel)] != wanted) continue;
      occupy({0, channel}, program);
      return {0, channel};
    }
  }
  for (int number = 1; number < kMaxPorts; ++number) {
    for (int channel = 0; channel < 16; ++channel) {
      const int held = port(number)[static_cast<std::size_t>(channel)];
      if (channel == midi::kDrumChannel || (held != kFree && held != program)) continue;
      occupy({number, channel}, program);
      return {number, channel};
    }
  }
  throw ScoreError("a MIDI file has no channel left for another track");
}

std::vector<Seat> plain_seats(const ScoreTable& table) {
  ChannelPool pool;
  std::vector<Seat> seats(table.tracks.size());
  for (std::size_t track = 0; track < std::min(kInTurn, seats.size()); ++track) {
    seats[track] = {0, table.tracks[track].is_drum != 0 ? midi::kDrumChannel : channel_in_turn(track)};
    if (table.tracks[track].is_drum == 0) pool.occupy(seats[track], table.tracks[track].instrument);
  }
  for (std::size_t track = kInTurn; track < seats.size(); ++track) seats[track] = pool.take(table.tracks[track].is_drum != 0, table.tracks[track].instrument);
  return seats;
}

}  // namespace midigpt
