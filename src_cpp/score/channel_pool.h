#pragma once
// Which port and channel each track of a file gets. MIDI has 16 channels a port, one of them for drums; what plays there shares one
// program. Tracks beyond the fifteenth melodic one share the channel of a track with the same program, else get a port of their own.

#include <array>
#include <cstddef>
#include <vector>

#include "midi/midi_file.h"
#include "score/from_midi.h"
#include "score/score.h"

namespace midigpt {

// A port other than 0 is written as a port event (meta 21) at the start of the track's chunk.
struct Seat {
  int port = 0;
  int channel = 0;
};

class ChannelPool {
 public:
  ChannelPool() = default;
  // With the channels that a file uses taken.
  ChannelPool(const MidiFile& file, const std::vector<SourceTrack>& tracks);

  // A seat for a new track: an unused channel; else one where nothing but `program` plays; else a channel of another port.
  [[nodiscard]] Seat take(bool is_drum, int program);
  // Notes that a track of `program` plays there.
  void occupy(Seat seat, int program);

 private:
  static constexpr int kFree = -1, kMixed = -2;
  using Port = std::array<int, 16>;  // per channel: its only program, kFree or kMixed

  [[nodiscard]] Port& port(int number);

  std::vector<Port> ports_;
};

// Seats of the tracks of a plain file: drums on channel 9, the first fifteen tracks on the others in turn, as the published writer has
// it; later ones as ChannelPool finds.
[[nodiscard]] std::vector<Seat> plain_seats(const ScoreTable& table);

// Port (meta 21) that a track chunk names, 0 where it names none.
[[nodiscard]] int chunk_port(const MidiFile& file, std::size_t track_chunk);

}  // namespace midigpt
