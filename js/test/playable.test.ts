import { describe, expect, it } from "vitest";
import { BarMap, TempoMap } from "../src/coords.ts";
import { parseDocument } from "../src/note_table.ts";
import { type Heard, playable } from "../src/playable.ts";
import { BAR, documentBytes, type Row } from "./fixtures.ts";

const heard = (rows: readonly Row[], resolution = 480): Heard => {
  const { notes, before } = parseDocument(documentBytes(rows)) as NonNullable<
    ReturnType<typeof parseDocument>
  >;
  return {
    bars: new BarMap([[4, 4, 0, BAR]]),
    tempo: new TempoMap([[0, 500_000]], resolution),
    resolution,
    notes,
    removed: before,
    controls: [],
    playBefore: false,
    job: null,
    audible: () => true,
  };
};
const onsets = (source: ReturnType<typeof playable>, from = 0, to = BAR): number[] => {
  const found: number[] = [];
  source.notesBetween(from, to, ({ onset }) => found.push(onset));
  return found;
};
const row = (onset: number, micro: number): Row => ({ track: 0, onset, duration: 100, pitch: 60, micro });

describe("micro-timing", () => {
  it.each([
    [480, [240, 240.5, 239.75, 240 + 479 / 480]],
    [960, [240, 240.25, 239.875, 240 + 479 / 960]],
  ])("moves what is heard by parts of a tick, at %i parts", (resolution, expected) => {
    const rows = [0, 240, -120, 479].map((micro) => row(240, micro));
    expect(onsets(playable(heard(rows, resolution))).sort()).toEqual([...expected].sort());
  });

  it("leaves a note in the stretch in which it stands, so that each is heard once", () => {
    const source = playable(heard([row(480, -240)]));
    expect(onsets(source, 0, 480)).toEqual([]);
    expect(onsets(source, 480, 960)).toEqual([479.5]);
  });
});
