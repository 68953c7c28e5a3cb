/** The ports a widget has chosen: where it plays, and the keyboard it records from. */
import type { EditNote } from "../edit/notes.ts";
import { snapTicks } from "../edit/snap.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import type { UiState } from "../ui_state.ts";
import { portName } from "./devices.ts";
import { MidiOut } from "./out.ts";
import { type Played, Recorder, type RecorderHost } from "./recorder.ts";

const WATCH_MS = 25;

/** The view that shows what is recorded, and speaks. */
export interface MidiView {
  ui: UiState;
  announce(text: string): void;
}

export class MidiSession {
  output: MIDIOutput | null = null;
  input: MIDIInput | null = null;
  /** Called when a port or the arming changed. */
  readonly listeners = new Set<() => void>();
  private recorder: Recorder | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private view: MidiView | null = null;
  private stopInput = new AbortController();
  private access: MIDIAccess | null = null;

  constructor(private readonly store: Store) {
    store.ended.addEventListener("abort", () => this.close(), { once: true });
  }

  get armed(): boolean {
    return this.recorder !== null;
  }

  /** Hears of devices that are pulled out. */
  follow(access: MIDIAccess): void {
    if (this.access !== access) {
      this.access = access;
      access.addEventListener("statechange", () => this.portsChanged(), { signal: this.store.ended });
    }
  }

  /** Plays to a port; null: with the page's own sounds. */
  playTo(output: MIDIOutput | null, view: MidiView | null): void {
    this.view = view;
    this.output = output;
    this.store.player.playOn(output && ((context) => new MidiOut(context, output)));
    this.tell();
  }

  /** Hears a keyboard; null: none. */
  listenTo(input: MIDIInput | null, view: MidiView): void {
    this.disarm();
    this.stopInput.abort();
    this.stopInput = new AbortController();
    this.input = input;
    this.view = view;
    const heard = (event: MIDIMessageEvent): void => {
      if (event.data) {
        this.hear(event.data, event.timeStamp);
      }
    };
    input?.addEventListener("midimessage", heard, { signal: this.stopInput.signal });
    this.tell();
  }

  /** Begins or ends recording. */
  toggle(view: MidiView): void {
    this.view = view;
    if (this.recorder) {
      this.disarm();
      view.announce(strings.midiDisarmed);
    } else if (!this.store.editable) {
      view.announce(strings.readonly);
    } else {
      this.recorder = new Recorder(this.recorderHost(view));
      const { recorder } = this;
      this.timer = setInterval(() => recorder.watch(), WATCH_MS);
      view.announce(strings.midiArmed(this.store.names[this.track(view)] ?? ""));
    }
    this.tell();
  }

  /** A view is gone: what it records is kept, and it records no more. */
  leave(view: MidiView): void {
    if (this.view === view) {
      this.disarm();
      this.view = null;
      this.tell();
    }
  }

  private disarm(): void {
    clearInterval(this.timer);
    const { recorder } = this;
    this.recorder = null;
    recorder?.finish();
  }

  private close(): void {
    this.recorder = null;
    clearInterval(this.timer);
    this.stopInput.abort();
    this.listeners.clear();
  }

  private hear(data: Uint8Array, milliseconds: number): void {
    const { view, recorder, store } = this;
    // Messages without a time of their own came now.
    const at = milliseconds || performance.now();
    const silent = new Recorder(IDLE);
    const key = (recorder ?? silent).receive(data, at);
    if (key && view) {
      store.player.key(this.track(view), ...key);
    }
  }

  /** The cursor's track when bars of it are chosen or none are; else the first that is. */
  private track({ ui }: MidiView): number {
    const tracks = this.store.selection.tracks();
    return tracks.length === 0 || tracks.includes(ui.cursor[0]) ? ui.cursor[0] : (tracks[0] as number);
  }

  private recorderHost(view: MidiView): RecorderHost {
    const { store } = this;
    const { player } = store;
    const range = (): readonly [number, number] => {
      if (player.playing && player.loop) {
        return [player.loop.start, player.loop.end];
      }
      const span = store.selection.barSpan();
      return span ? [store.bars.start(span[0]), store.bars.start(span[1])] : [0, store.bars.end];
    };
    const notes = (played: readonly Played[]): EditNote[] => {
      const track = this.track(view);
      return played.map((note) => ({ ...note, track, id: store.editor.newId(), micro: 0 }));
    };
    return {
      playing: () => player.playing,
      position: () => player.position,
      heardAt: (milliseconds) => player.heardAt(milliseconds),
      grid: () => (store.get("snap") === "off" ? 0 : snapTicks(store.get("snap"), store.resolution)),
      barStart: (tick) => store.bars.start(store.bars.at(tick)),
      range,
      allowed: (tick) => {
        const bar = store.bars.at(tick);
        return store.editable && (store.selection.size === 0 || store.selection.has(this.track(view), bar));
      },
      write: (played) => {
        store.editor.notesEdit(strings.didRecord(played.length), [], notes(played));
        view.announce(strings.didRecord(played.length));
      },
      show: (played) => {
        view.ui.notePreview = played.length > 0 ? { hide: new Set(), notes: notes(played) } : null;
        view.ui.dirty("overlay");
      },
      step: (tick) => player.seek(tick),
    };
  }

  private portsChanged(): void {
    const gone = [this.output, this.input].find((port) => port?.state === "disconnected");
    if (gone && gone === this.output) {
      this.playTo(null, this.view);
    } else if (gone && this.view) {
      this.listenTo(null, this.view);
    }
    if (gone) {
      this.view?.announce(strings.midiGone(portName(gone)));
    }
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) {
      listener();
    }
  }
}

/** Nothing is armed: keys are only heard. */
const IDLE: RecorderHost = {
  playing: () => true,
  position: () => 0,
  heardAt: () => 0,
  grid: () => 0,
  barStart: () => 0,
  range: () => [0, 0],
  allowed: () => false,
  write: () => {},
  show: () => {},
  step: () => {},
};
