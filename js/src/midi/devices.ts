/**
 * MIDI devices of this computer, where the browser has them. Permission is asked once a page, from a click. The page
 * shares one access between its widgets; each widget chooses its own ports.
 */

const KEY = Symbol.for("mgnb.midi.v1");

interface PageMidi {
  access: Promise<MIDIAccess> | null;
}

function pageMidi(): PageMidi {
  const page = globalThis as unknown as Record<symbol, PageMidi | undefined>;
  page[KEY] ??= { access: null };
  return page[KEY];
}

/** Whether this browser (and this page's address) knows MIDI at all. */
export const midiKnown = (): boolean => typeof navigator.requestMIDIAccess === "function";

/** Asks for permission the first time; rejects when it is refused, and asks again the next time. */
export function openMidi(): Promise<MIDIAccess> {
  const page = pageMidi();
  if (!page.access) {
    page.access = navigator.requestMIDIAccess({ sysex: false });
    page.access.catch(() => {
      page.access = null;
    });
  }
  return page.access;
}

/** What to call a port. */
export const portName = (port: MIDIPort): string => port.name || port.manufacturer || port.id;

export const connected = <P extends MIDIPort>(ports: ReadonlyMap<string, P>): P[] =>
  [...ports.values()].filter((port) => port.state !== "disconnected");
