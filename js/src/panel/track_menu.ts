/** What can be done to a track, to bars, to the tempo: as pages of a menu. They say it in operations. */
import { h } from "../dom.ts";
import type { Op } from "../protocol.gen.ts";
import { Selection } from "../selection.ts";
import type { Store } from "../store.ts";
import { strings } from "../strings.ts";
import type { MenuItem, MenuPage } from "./menu.ts";

const METRES = ["4/4", "3/4", "2/4", "6/8", "7/8", "5/4", "12/8"];
const COLOURS = 8;
const FAMILIES = 16;
const VOLUME_MAX = 127;

export class TrackMenus {
  constructor(
    private readonly store: Store,
    private readonly announce: (text: string) => void,
  ) {}

  /** The menu of one track. */
  track(track: number): MenuPage {
    const { store } = this;
    const name = store.names[track] ?? "";
    const n = store.tracks.length;
    const off = !store.editable;
    const did = (label: string, ...ops: Op[]): void => this.did(label, ...ops);
    return {
      label: strings.trackMenu(name),
      above: this.volume(track),
      items: [
        { label: strings.rename, testid: "mgnb-rename", disabled: off, page: () => this.rename(track) },
        {
          label: strings.instrument,
          testid: "mgnb-instrument",
          disabled: off || (store.tracks[track]?.drum ?? false),
          page: () => this.families(track),
        },
        { label: strings.colour, testid: "mgnb-colour", page: () => this.colours(track) },
        null,
        {
          label: strings.moveUp,
          testid: "mgnb-track-up",
          disabled: off || track === 0,
          run: () => this.move(track, track - 1),
        },
        {
          label: strings.moveDown,
          testid: "mgnb-track-down",
          disabled: off || track === n - 1,
          run: () => this.move(track, track + 1),
        },
        {
          label: strings.duplicateTrack,
          testid: "mgnb-track-duplicate",
          disabled: off,
          run: () => {
            store.mix.copies(track);
            did(strings.didDuplicateTrack(name), { op: "track_duplicate", track });
          },
        },
        {
          label: strings.deleteTrack,
          testid: "mgnb-track-delete",
          disabled: off || n < 2,
          run: () => did(strings.didDeleteTrack(name), { op: "track_delete", track }),
        },
        null,
        ...this.addItems(),
      ],
    };
  }

  /** New tracks. */
  add(): MenuPage {
    return { label: strings.addTrack, items: this.addItems() };
  }

  /** The menu of bars `first` .. `first + count - 1`. */
  bars(first: number, count: number): MenuPage {
    const { store } = this;
    const off = !store.editable;
    const what = strings.barsNamed(count === 1 ? `${first + 1}` : `${first + 1}–${first + count}`, count);
    return {
      label: strings.barMenu(what),
      items: [
        {
          label: strings.selectBars(what),
          testid: "mgnb-bars-select",
          run: () =>
            store.select(Selection.rectangle([0, first], [store.tracks.length - 1, first + count - 1])),
        },
        null,
        {
          label: strings.insertBefore(count),
          testid: "mgnb-bars-insert",
          disabled: off,
          run: () => this.did(strings.didInsertBars(count), { op: "bars_insert", at: first, count }),
        },
        {
          label: strings.insertAfter(count),
          testid: "mgnb-bars-append",
          disabled: off,
          run: () => this.did(strings.didInsertBars(count), { op: "bars_insert", at: first + count, count }),
        },
        {
          label: strings.duplicateBars(what),
          testid: "mgnb-bars-duplicate",
          disabled: off,
          run: () => this.did(strings.didDuplicateBars(what), { op: "bars_duplicate", first, count }),
        },
        {
          label: strings.deleteBars(what),
          testid: "mgnb-bars-delete",
          disabled: off || count >= store.bars.n,
          run: () => this.did(strings.didDeleteBars(what), { op: "bars_delete", first, count }),
        },
        null,
        { label: strings.metre, testid: "mgnb-metre", disabled: off, page: () => this.metre(first, count) },
        { label: strings.tempoHere, testid: "mgnb-tempo-here", disabled: off, page: () => this.tempo(first) },
      ],
    };
  }

  /** A new tempo for the whole piece, or from a bar on. */
  tempo(first = 0): MenuPage {
    const { store } = this;
    const bpm = store.tempo.bpm(store.bars.start(first), store.resolution);
    return {
      label: first > 0 ? strings.tempoFrom(first) : strings.tempoLabel,
      field: {
        type: "number",
        value: String(Number(bpm.toFixed(2))),
        min: 4,
        max: 999,
        commit: (text) => {
          const value = Number(text);
          if (value >= 4 && value <= 999) {
            this.did(strings.didTempo(value), {
              op: "tempo_set",
              bpm: value,
              ...(first > 0 ? { first } : {}),
            });
          } else {
            this.announce(strings.tempoRange);
          }
        },
      },
    };
  }

  private addItems(): MenuItem[] {
    const { store } = this;
    const disabled = !store.editable;
    const items: MenuItem[] = [
      { label: strings.addMelodic, testid: "mgnb-add-melodic", disabled, page: () => this.families(-1) },
      {
        label: strings.addDrums,
        testid: "mgnb-add-drums",
        disabled,
        run: () => this.did(strings.didAddTrack, { op: "track_add", drum: true }),
      },
    ];
    if (store.canGenerate) {
      items.push({
        label: strings.addWritten,
        testid: "mgnb-add-written",
        disabled,
        page: () => this.families(-2),
      });
    }
    return items;
  }

  /** -1: for a new track, -2: for a new track that the model is to write. */
  private families(track: number): MenuPage {
    return {
      label: strings.instrument,
      items: this.names(0, FAMILIES).map((family, i) => ({
        label: family,
        page: () => this.programs(track, i),
      })),
    };
  }

  private names(first: number, count: number): string[] {
    return this.store
      .get("_instruments")
      .split("|")
      .slice(first, first + count);
  }

  private programs(track: number, family: number): MenuPage {
    const now = this.store.tracks[track]?.program ?? -1;
    return {
      label: this.names(family, 1)[0] ?? "",
      items: this.names(FAMILIES + 8 * family, 8).map((label, i) => {
        const program = 8 * family + i;
        return {
          label,
          testid: `mgnb-program-${program}`,
          checked: program === now,
          run: () => this.choose(track, program, label),
        };
      }),
    };
  }

  private choose(track: number, program: number, name: string): void {
    const { store } = this;
    if (track >= 0) {
      this.did(strings.didInstrument(name), { op: "track_set", track, program });
      return;
    }
    const added = store.tracks.length;
    this.did(strings.didAddTrack, { op: "track_add", program });
    if (track === -2) {
      const stop = store.subscribe(() => {
        if (store.tracks.length > added) {
          stop();
          store.select(Selection.rectangle([added, 0], [added, store.bars.n - 1]));
          this.announce(strings.readyToWrite);
        }
      });
    }
  }

  private rename(track: number): MenuPage {
    const before = this.store.names[track] ?? "";
    const commit = (text: string): void => {
      const name = text.trim();
      if (name && name !== before) {
        this.did(strings.didRename(name), { op: "track_set", track, name });
      }
    };
    return { label: strings.rename, field: { type: "text", value: before, commit } };
  }

  private colours(track: number): MenuPage {
    const { mix } = this.store;
    const now = mix.of(track).colour ?? track % COLOURS;
    return {
      label: strings.colour,
      items: strings.colourNames.map((label, i) => ({
        label,
        checked: i === now,
        run: () => mix.set(track, { colour: i }),
      })),
    };
  }

  private metre(first: number, count: number): MenuPage {
    const { bars } = this.store;
    const now = `${bars.numerator(first)}/${bars.denominator(first)}`;
    const set = (text: string): void => {
      const [numerator, denominator] = text.split("/").map((part) => Number.parseInt(part, 10));
      if (numerator && denominator) {
        const metre: [number, number] = [numerator, denominator];
        this.did(strings.didMetre(text), { op: "metre_set", first, count, metre });
      } else {
        this.announce(strings.metreForm);
      }
    };
    const other = (): MenuPage => ({
      label: strings.metre,
      field: { type: "text", value: now, commit: (text) => set(text.trim()) },
    });
    return {
      label: strings.metre,
      items: [
        ...METRES.map((label) => ({ label, checked: label === now, run: () => set(label) })),
        { label: strings.otherMetre, testid: "mgnb-metre-other", page: other },
      ],
    };
  }

  /** A slider above the items: heard while it moves. */
  private volume(track: number): HTMLElement {
    const { store } = this;
    const value = store.mix.shownVolume(track);
    const words = h("output", { class: "mgnb-menu-value", text: String(value) });
    const slider = h("input", {
      class: "mgnb-slider",
      testid: "mgnb-volume",
      attrs: { type: "range", min: 0, max: VOLUME_MAX, value, "aria-label": strings.volume },
    });
    const fill = (): void => {
      const share = (100 * Number(slider.value)) / VOLUME_MAX;
      slider.style.setProperty("--mgnb-fill", `${share.toFixed(1)}%`);
      words.textContent = slider.value;
    };
    slider.addEventListener("input", () => {
      store.setVolume(track, Number(slider.value));
      fill();
    });
    fill();
    return h("label", { class: "mgnb-menu-volume" }, h("span", { text: strings.volume }), slider, words);
  }

  private move(track: number, to: number): void {
    this.did(strings.didMoveTrack(this.store.names[track] ?? ""), { op: "track_move", track, to });
  }

  private did(label: string, ...ops: Op[]): void {
    this.store.editor.structureEdit(label, ...ops);
    this.announce(label);
  }
}
