/** What the lanes of one view show: a track, its attributes, and what is known of each bar. No DOM. */
import type { BarMap } from "../coords.ts";
import type { AttributeInfo } from "../protocol.gen.ts";
import { Selection } from "../selection.ts";
import type { Store } from "../store.ts";
import type { UiState } from "../ui_state.ts";
import { valueAt } from "../wishes.ts";
import { type LaneChoice, laneChoices, shownLanes } from "./choice.ts";
import { type Entry, mean } from "./curve.ts";
import type { LaneRow, Marks } from "./marks.ts";

export const BAR_LANE = 66;
export const TRACK_LANE = 46;

export interface Lane extends LaneRow {
  info: AttributeInfo;
}

export class LaneState {
  track = 0;
  lanes: readonly Lane[] = [];
  choices: readonly LaneChoice[] = [];
  /** Where the keyboard is: a lane and a bar of it. */
  at: { name: string; bar: number } = { name: "", bar: 0 };
  private remembered: string[] | null = null;
  /** The selection that was followed last: a track chosen by hand stays until other bars are selected. */
  private followed = Selection.empty;
  /** The track in focus that was followed last. */
  private focused = -1;
  /** What drawing has selected: the next curve adds its bars to it. */
  private drawn = Selection.empty;

  constructor(
    readonly store: Store,
    readonly ui: UiState,
  ) {}

  get bars(): BarMap {
    return this.store.bars;
  }

  get drum(): boolean {
    return this.store.tracks[this.track]?.drum ?? false;
  }

  get chosen(): string[] | null {
    return this.store.get("show_lanes") ?? null;
  }

  /** There is (or was) a model, and somebody wants to see lanes. */
  get open(): boolean {
    const { store } = this;
    return (
      !!store.caps.attributes?.length && store.bars.n * store.tracks.length > 0 && this.chosen?.length !== 0
    );
  }

  get height(): number {
    const last = this.lanes[this.lanes.length - 1];
    return last ? last.top + last.height : 0;
  }

  /** Follows the selection, the track in focus and `caps`. */
  refresh(): void {
    const { store, ui } = this;
    const { selection } = store;
    const tracks = selection.tracks();
    if (!selection.equals(this.followed) && tracks.length > 0 && !tracks.includes(this.track)) {
      this.track = tracks.includes(ui.cursor[0]) ? ui.cursor[0] : (tracks[0] as number);
    }
    this.followed = selection;
    if (ui.focus >= 0 && ui.focus !== this.focused) {
      this.track = ui.focus;
    }
    this.focused = ui.focus;
    this.track = Math.max(0, Math.min(store.tracks.length - 1, this.track));
    this.choices = laneChoices(store.caps, this.drum, this.chosen);
    let top = 0;
    this.lanes = shownLanes(this.choices).map((info) => {
      const wide = info.level === "track";
      const height = wide ? TRACK_LANE : BAR_LANE;
      const lane: Lane = {
        info,
        top,
        height,
        wide,
        size: info.size,
        nominal: info.nominal ?? false,
        marks: (bar) => this.marks(info, bar),
      };
      top += height;
      return lane;
    });
    const bar = Math.max(0, Math.min(this.bars.n - 1, this.at.bar));
    const name = this.lane(this.at.name)?.info.name ?? this.lanes[0]?.info.name ?? "";
    this.at = { name, bar };
  }

  lane(name: string): Lane | undefined {
    return this.lanes.find((lane) => lane.info.name === name);
  }

  laneAt(y: number): Lane | undefined {
    return this.lanes.find((lane) => y >= lane.top && y < lane.top + lane.height);
  }

  marks({ name }: AttributeInfo, bar: number): Marks {
    const { store, track } = this;
    return {
      requested: valueAt(store.get("attributes"), name, track, bar),
      announced: valueAt(store.get("announced"), name, track, bar),
      measured: store.measured(name, track, bar),
      adherence: valueAt(store.get("adherence"), name, track, bar),
      reach: valueAt(store.get("reachable"), name, track, bar),
      target: bar < 0 ? store.selection.bars(track).length > 0 : store.selection.has(track, bar),
    };
  }

  /** Mean adherence of a lane, null when nothing was asked for. */
  adherence(lane: Lane): number | null {
    const { adherence } = this.marks(lane.info, -1);
    return lane.wide ? (adherence ?? null) : mean(this.allBars().map((bar) => lane.marks(bar).adherence));
  }

  write(lane: Lane, entries: readonly Entry[]): void {
    this.store.setCurve(lane.info.name, this.track, entries);
  }

  /** What is asked for in the bars that an action is for. */
  known(lane: Lane): Entry[] {
    return this.scope(lane).flatMap((bar): Entry[] => {
      const { requested } = lane.marks(bar);
      return requested === undefined ? [] : [[bar, requested]];
    });
  }

  /** Bars that a menu's action is for: the selected ones of this track, else all. */
  scope(lane: Lane): number[] {
    const selected = this.store.selection.bars(this.track);
    return lane.wide ? [-1] : selected.length > 0 ? selected : this.allBars();
  }

  /**
   * A curve is drawn to be generated: with nothing selected, the bars under it are selected, and those of
   * the next curves with them.
   */
  selectDrawn(lane: Lane, bars: readonly number[]): void {
    const { store } = this;
    const untouched = store.selection.size === 0 || store.selection.equals(this.drawn);
    if (untouched && !lane.wide && bars.length > 0) {
      this.drawn = store.selection.union(Selection.of(bars.map((bar) => [this.track, bar])));
      store.select(this.drawn);
    }
  }

  toggle(): void {
    if (this.open) {
      this.remembered = this.chosen;
      this.show([]);
    } else {
      this.show(this.remembered);
    }
  }

  show(names: string[] | null): void {
    this.store.save("show_lanes", names);
    this.store.changed("wishes");
  }

  showLane(name: string, on: boolean): void {
    const now = this.choices.filter((choice) => choice.shown).map((choice) => choice.info.name);
    this.show(on ? [...now, name] : now.filter((other) => other !== name));
  }

  private allBars(): number[] {
    return Array.from({ length: this.bars.n }, (_, bar) => bar);
  }
}
