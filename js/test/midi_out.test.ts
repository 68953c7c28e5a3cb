import { expect, it } from "vitest";
import { MidiOut } from "../src/midi/out.ts";

const context = { currentTime: 0, baseLatency: 0 } as unknown as BaseAudioContext;
const note = { track: 0, program: 5, drum: false, volume: 100, pitch: 60, velocity: 90 };

it("a device that was pulled out stops nothing", () => {
  let gone = false;
  const sent: number[][] = [];
  const out = new MidiOut(context, {
    send: (data) => {
      if (gone) {
        throw new DOMException("no such device", "InvalidStateError");
      }
      sent.push(data);
    },
  });
  out.play(note as never, 0, 1);
  expect(sent.length).toBe(3);
  gone = true;
  out.play(note as never, 1, 2);
  out.silence();
  expect(() => out.dispose()).not.toThrow();
});
