/** Entry of an exported page: unpacks what the page carries and shows the roll. */
import type { State } from "../model.ts";
import { type ExportedFiles, localModel } from "./local_model.ts";
import { words } from "./words.ts";

interface Header {
  state: Partial<State>;
  /** What the MIDI file is called. */
  name: string;
  /** Sizes of the files that follow, in order. */
  files: Record<string, number>;
  seats: ExportedFiles["seats"];
  bars: ExportedFiles["bars"];
}

async function unpacked(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const raw = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function start(el: HTMLElement): Promise<void> {
  const bytes = await unpacked(document.getElementById("mgnb-data")?.textContent ?? "");
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Header;
  const files: Record<string, Uint8Array<ArrayBuffer>> = {};
  let at = 4 + length;
  for (const [name, size] of Object.entries(header.files)) {
    files[name] = bytes.slice(at, at + size);
    at += size;
  }
  const script = new Blob([files["widget.js"] as Uint8Array<ArrayBuffer>], { type: "text/javascript" });
  const url = URL.createObjectURL(script);
  const { default: widget } = (await import(url)) as typeof import("../widget.ts");
  URL.revokeObjectURL(url);
  const model = localModel(header.state, header.name, {
    document: new DataView((files["document"] as Uint8Array<ArrayBuffer>).buffer),
    midi: files["midi"] as Uint8Array,
    worklet: files["worklet"],
    simple: files["simple"],
    desk: files["desk"],
    bank: files["bank"],
    seats: header.seats,
    bars: header.bars,
  });
  const { initialize, render } = widget();
  initialize({ model });
  render({ model, el });
}

const place = document.getElementById("mgnb");
if (place) {
  start(place).catch((error: unknown) => {
    place.textContent = words.tooOld(String(error));
  });
}
