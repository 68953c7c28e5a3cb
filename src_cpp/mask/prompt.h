#pragma once
// What a prompt says about the bars to be written: read once, when a matcher is made.

#include <span>
#include <vector>

#include "mask/grammar.h"

namespace midigpt {

struct SoundingNote {
  int start = 0;  // ticks from the start of the track
  int end = 0;
};

struct PromptBar {
  int time_signature = -1;  // value of TimeSig; -1 = none written
  int start = 0;            // ticks from the start of the track
  int ticks = 0;
  bool placeholder = false;
};

struct PromptTrack {
  bool is_drum = false;
  std::vector<PromptBar> bars;
  std::vector<SoundingNote> notes;  // those of fill blocks included
};

struct Prompt {
  std::vector<PromptTrack> tracks;
  std::vector<FillBlock> blocks;  // in the order in which they are filled; empty when the prompt is autoregressive
  bool infill = false;
  int num_bars = 0;  // what the header says; 0 = nothing
  Place place;       // after the last token
};

// Throws VocabularyError naming the first token that the grammar does not allow.
[[nodiscard]] Prompt read_prompt(const Grammar& grammar, std::span<const TokenId> tokens);

}  // namespace midigpt
