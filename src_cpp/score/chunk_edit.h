#pragma once
// Edits of one track chunk of a MIDI file: events dropped, changed and inserted, everything else left in its place and order.

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "midi/event_writer.h"
#include "midi/midi_file.h"

namespace midigpt {

// A note to insert, in file ticks.
struct FileNote {
  std::int64_t on_tick = 0;
  std::int64_t off_tick = 1;
  std::uint8_t pitch = 60;
  std::uint8_t velocity = 100;
  std::uint8_t release = 100;  // velocity of the note-off
};

// Sorts notes by time and shortens those that a later note of the same pitch would end out of turn: readers let a note-off end the oldest.
void put_in_order(std::vector<FileNote>& notes);

// Collects edits, then writes the chunk. Indices are those of the file's event list. Use: remove everything first, then insert.
class ChunkEdit {
 public:
  // `partner` pairs the file's note-ons and note-offs (MidiReading); both references must outlive the edit.
  ChunkEdit(const MidiFile& file, std::size_t track_chunk, const std::vector<std::int32_t>& partner);

  [[nodiscard]] bool changed() const { return changed_; }

  // A note-on and the note-off that ends it.
  void remove_note(std::uint32_t on_event);
  // Any event that is no note.
  void remove_event(std::uint32_t event) { remove(local(static_cast<std::int32_t>(event))); }
  void set_data(std::uint32_t event, std::vector<std::uint8_t> data);
  // Behind other events inserted at the same tick this way, before all else that happens then.
  void insert_about(std::int64_t tick, std::uint8_t status, std::vector<std::uint8_t> data);
  // Notes of one channel and program, in any order. They give way to the notes that are there (see rewrite_midi.h).
  void insert_notes(int channel, int program, std::vector<FileNote> notes);

  // Tick at which the last note ends, of those a reader sees.
  [[nodiscard]] std::int64_t end_of_notes() const;
  void write(EventWriter& writer) const;

 private:
  enum Rank { kAbout, kOff, kOn };
  struct Inserted {
    std::ptrdiff_t after = -1;  // it comes behind this event of the chunk, -1 for before the first
    std::int64_t tick = 0;
    Rank rank = kAbout;
    int program = -1;  // of a note-on: the program it needs
    std::uint8_t status = 0;
    std::vector<std::uint8_t> data;
  };
  class Output;

  [[nodiscard]] const MidiEvent& event(std::ptrdiff_t local) const { return file_.events[first_ + static_cast<std::size_t>(local)]; }
  [[nodiscard]] std::ptrdiff_t local(std::int32_t event) const { return static_cast<std::ptrdiff_t>(event) - static_cast<std::ptrdiff_t>(first_); }
  [[nodiscard]] std::ptrdiff_t partner(std::ptrdiff_t local_event) const;
  [[nodiscard]] bool removed(std::ptrdiff_t local_event) const { return removed_[static_cast<std::size_t>(local_event)]; }
  void remove(std::ptrdiff_t local_event);
  // Last event before `tick`, or at it as well; -1 for none. The end of the track does not count.
  [[nodiscard]] std::ptrdiff_t last_before(std::int64_t tick) const;
  [[nodiscard]] std::ptrdiff_t last_until(std::int64_t tick) const { return last_before(tick + 1); }
  [[nodiscard]] const std::vector<std::ptrdiff_t>& note_events(int channel, int pitch);
  void insert_note(int channel, int program, const FileNote& note);

  const MidiFile& file_;
  const std::vector<std::int32_t>& partner_;
  std::size_t first_;                 // event index of the chunk's first event
  std::ptrdiff_t n_ = 0;              // events without the end of the track
  const MidiEvent* end_of_track_ = nullptr;
  std::vector<bool> removed_;
  std::map<std::ptrdiff_t, std::vector<std::uint8_t>> new_data_;
  std::vector<Inserted> inserted_;
  std::unordered_map<int, std::vector<std::ptrdiff_t>> note_events_;  // by channel * 128 + pitch; filled on first use
  bool changed_ = false;
};

}  // namespace midigpt
