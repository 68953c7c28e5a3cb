/** TABLE: what an exported page says by itself; everything else stands in ../strings.ts, which it carries, too. */
export const words = {
  tooOld: (why: string): string => `This page needs a newer browser (${why}).`,
  outside: "A note would lie outside the piece",
  bars: (count: number): string => `${count} bars are too few or too many`,
  lastBar: "A piece keeps one bar at least",
  noChannel: "a MIDI file has no channel left for another track",
  noBank: "This page carries no sampled sound",
  exported: "This is an exported page",
  next: "The piece is as it was; everything else goes on.",
};
