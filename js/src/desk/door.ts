/**
 * The way to a view's desk: fetches desk.js from the kernel after the first picture, once a page whatever the number
 * of widgets, and keeps what is asked for before it is there.
 */
import type { Kernel } from "../model.ts";
import { importText } from "../playback/sound_files.ts";
import { strings } from "../strings.ts";
import { Timers } from "../timers.ts";
import { core } from "./core.ts";
import type { Desk, DeskHost } from "./entry.ts";

/** Names the desk.js that was built together with this code; any other one is refused. */
declare const DESK_ID: string;

type Entry = typeof import("./entry.ts");

/** What desk.js exports: its code, to be run with the parts of the widget.js that asks. */
export interface DeskModule {
  default(parts: readonly unknown[]): Entry;
}

/** What the widgets of a page share, all of one build: each has its own copy of this code. */
interface Shelf {
  module: DeskModule | null;
  /** When it was last asked for, page time, and by which door. */
  asked: number;
  asker: Door | null;
  waiting: Set<Door>;
}

/** How long an answer may take before people are told, and before a person who wants it makes it be asked for again. */
const PATIENCE_MS = 4000;
/** The same for a widget that only opens: a kernel that is busy is not to be asked by each. */
const STALE_MS = 20_000;
const UNSEEN_MS = 300;

export const shelfKey = (id: string): symbol => Symbol.for(`mgnb.desk.${id}`);

function shelf(): Shelf {
  const page = globalThis as unknown as Record<symbol, Shelf | undefined>;
  const key = shelfKey(DESK_ID);
  page[key] ??= { module: null, asked: Number.NEGATIVE_INFINITY, asker: null, waiting: new Set() };
  return page[key];
}

/** The desk's code with the parts of this widget.js: one for all views of a widget. */
let entry: Entry | null = null;

export class Door {
  desk: Desk | null = null;
  /** Why there is no desk yet, in words; "" while it is simply on its way. */
  trouble = "";
  private wanted: ((desk: Desk) => void) | null = null;
  private readonly timers = new Timers();

  /** `onChange`: the desk is there, or `trouble` is another. */
  constructor(
    private readonly request: Kernel["request"],
    private readonly host: () => DeskHost,
    private readonly onChange: () => void,
  ) {}

  /** Opens at once when another widget of the page has fetched the module, else after the first picture. */
  begin(): void {
    if (shelf().module) {
      this.arrived();
      return;
    }
    const soon = (): void => this.timers.set("fetch", 0, () => this.fetch(STALE_MS));
    this.timers.once("fetch", UNSEEN_MS, soon); // no frame comes in a tab that is not shown
    globalThis.requestAnimationFrame?.(() => this.timers.has("fetch") && soon());
  }

  /** Does it now, or as soon as the desk is there; of several that wait, the last one. */
  ask(what: (desk: Desk) => void): void {
    if (this.desk) {
      what(this.desk);
      return;
    }
    this.wanted = what;
    this.host().announce(strings.deskComes);
    this.fetch();
  }

  /** Once more, after trouble. */
  readonly retry = (): void => {
    this.say("");
    this.fetch();
  };

  close(): void {
    const place = shelf();
    this.timers.cancelAll();
    place.waiting.delete(this);
    if (place.asker === this) {
      // nobody hears the answer any more: another one asks
      place.asked = Number.NEGATIVE_INFINITY;
      place.asker = null;
      for (const next of [...place.waiting].slice(0, 1)) {
        next.fetch();
      }
    }
  }

  fetch(patience = PATIENCE_MS): void {
    const place = shelf();
    if (place.module) {
      this.arrived();
      return;
    }
    place.waiting.add(this);
    this.timers.once("patience", PATIENCE_MS, () => this.say(strings.deskWaits));
    const now = performance.now();
    if (now - place.asked < patience) {
      return; // another widget has asked
    }
    place.asked = now;
    place.asker = this;
    fetchModule(this.request).then(
      (module) => {
        place.module = module;
        place.asker = null;
        const doors = [...place.waiting];
        place.waiting.clear();
        for (const door of doors) {
          door.arrived();
        }
      },
      (error: unknown) => {
        place.asked = Number.NEGATIVE_INFINITY;
        place.asker = null;
        for (const door of place.waiting) {
          door.say(error instanceof Error ? error.message : String(error));
        }
      },
    );
  }

  /** Called by the door that fetched: of this widget.js, or of another widget's copy of the same build. */
  arrived(): void {
    this.timers.cancelAll();
    const { module } = shelf();
    if (!module || this.desk) {
      return;
    }
    const { wanted } = this;
    entry ??= module.default(core);
    this.desk = entry.makeDesk(this.host());
    this.wanted = null;
    this.trouble = "";
    this.onChange();
    wanted?.(this.desk);
  }

  say(trouble: string): void {
    this.timers.cancel("patience");
    if (trouble !== this.trouble) {
      this.trouble = trouble;
      this.onChange();
    }
  }
}

async function fetchModule(request: Kernel["request"]): Promise<DeskModule> {
  const { buffers } = await request("desk", {});
  const view = buffers[0];
  if (!view) {
    throw new Error(strings.deskMissing);
  }
  const code = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const mark = `/*${DESK_ID}*/`;
  // Checked before any of it runs.
  if (new TextDecoder().decode(code.subarray(0, mark.length)) !== mark) {
    throw new Error(strings.deskOther);
  }
  return importText<DeskModule>(code);
}
