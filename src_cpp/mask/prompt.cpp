#include "mask/prompt.h"

#include <string>

#include "error.h"

namespace midigpt {
namespace {

std::vector<FillBlock> waiting_bars(const std::vector<PromptTrack>& tracks) {
  std::vector<FillBlock> blocks;
  for (std::size_t track = 0; track < tracks.size(); ++track) {
    for (std::size_t bar = 0; bar < tracks[track].bars.size(); ++bar) {
      const PromptBar& row = tracks[track].bars[bar];
      if (!row.placeholder) continue;
      blocks.push_back({static_cast<int>(track), static_cast<int>(bar), row.ticks, row.start, tracks[track].is_drum});
    }
  }
  return blocks;
}

void record(Prompt& prompt, const Token& token) {
  const Place& place = prompt.place;
  if (token.type == TokenType::Track) {
    prompt.tracks.push_back({place.is_drum, {}, {}});
    return;
  }
  if (prompt.tracks.empty()) return;
  PromptTrack& track = prompt.tracks[static_cast<std::size_t>(place.track)];
  const int now = place.bar_start + place.position;
  if (token.type == TokenType::Bar) {
    track.bars.push_back({-1, place.bar_start, place.bar_ticks, false});
  } else if (token.type == TokenType::TimeSig) {
    track.bars.back().time_signature = token.value;
    track.bars.back().ticks = place.bar_ticks;
  } else if (token.type == TokenType::FillInPlaceholder) {
    track.bars.back().placeholder = true;
  } else if (token.type == TokenType::NoteOnset && place.is_drum) {
    track.notes.push_back({now, now + 1});
  } else if (token.type == TokenType::NoteDuration) {
    track.notes.push_back({now, now + token.value + 1});
  }
}

}  // namespace

Prompt read_prompt(const Grammar& grammar, std::span<const TokenId> tokens) {
  const Vocabulary& vocabulary = grammar.vocabulary();
  Prompt prompt;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token token = vocabulary.decode(tokens[i]);
    if (token.type == TokenType::FillInStart && !prompt.infill) {
      prompt.infill = true;
      prompt.blocks = waiting_bars(prompt.tracks);
    }
    const GrammarState before = prompt.place.state;
    if (!grammar.follow(prompt.place, token, prompt.blocks)) {
      throw VocabularyError("token " + std::to_string(i) + " of the prompt, " + std::string(token_type_name(token.type)) +
                            ", cannot follow " + std::string(state_words(before)));
    }
    if (token.type == TokenType::NumBars) prompt.num_bars = vocabulary.num_bars(token.value);
    record(prompt, token);
  }
  return prompt;
}

}  // namespace midigpt
