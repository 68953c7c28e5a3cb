/** What buttons and keys do: one method per action, on the store and on this view's own state. */
import { cellRect, contentHeight, zoomAt, zoomTo } from "./coords.ts";
import type { NoteKeys } from "./edit/keys.ts";
import { HOME_TOOL, TOOLS, type Tool } from "./edit/tools.ts";
import type { Action, SimpleAction } from "./keyboard.ts";
import type { Cell, Plan } from "./protocol.gen.ts";
import { describe, Selection } from "./selection.ts";
import type { Store } from "./store.ts";
import { strings } from "./strings.ts";
import { withBarRole, withTrackRole } from "./takes/roles.ts";
import { FOLLOW, nextSpeed } from "./transport.ts";
import type { UiState } from "./ui_state.ts";

export const ZOOM_STEP = 1.4;

export interface ActionHost {
  announce(text: string): void;
  relayout(): void;
  toggleHelp(): void;
  toggleLanes(): void;
  typeChords(): void;
  doubtMenu(): void;
  /** Ends a drag that is under way; false when there is none. */
  cancelGesture(): boolean;
  leave(): void;
}

export class Actions {
  /** Keys of selected notes; null until the desk is there. */
  notes: NoteKeys | null = null;
  private readonly simple: Readonly<Record<SimpleAction, () => void>> = {
    toggleCell: () => this.select(this.store.selection.toggled(Selection.of([this.ui.cursor]))),
    selectAll: () => {
      if (this.ui.tool !== HOME_TOOL) {
        this.notes?.selectAll(this.ui.cursor[0]);
        return;
      }
      const { tracks, bars } = this.store;
      this.select(Selection.rectangle([0, 0], [tracks.length - 1, bars.n - 1]));
    },
    generate: () => this.store.attempt(this.store.generate()),
    escape: () => this.escape(),
    play: () => this.playOrStop(),
    loop: () => this.toggleLoop(),
    undo: () => this.store.attempt(this.store.undo()),
    redo: () => this.store.attempt(this.store.redo()),
    home: () => this.goTo(0),
    end: () => this.ui.setViewport({ ...this.ui.viewport, left: this.store.bars.end }),
    zoomSelection: () => this.zoomSelection(),
    zoomIn: () => (this.notes?.active ? this.notes.louder(1) : this.zoom(ZOOM_STEP)),
    zoomOut: () => (this.notes?.active ? this.notes.louder(-1) : this.zoom(1 / ZOOM_STEP)),
    delete: () => this.notes?.delete(),
    copy: () => this.notes?.copy(),
    cut: () => this.notes?.cut(),
    paste: () => this.notes?.wantPaste(),
    duplicate: () => this.notes?.duplicate(),
    quantise: () => this.notes?.quantise(),
    mute: () => this.store.toggleMute(this.ui.cursor[0]),
    solo: () => this.store.toggleSolo(this.ui.cursor[0]),
    accept: () => this.store.attempt(this.store.takes.accept()),
    hold: () => this.holdBars(),
    flip: () => this.store.takes.flip(true),
    metronome: () => this.toggleMetronome(),
    slower: () => this.speed(-1),
    faster: () => this.speed(1),
    follow: () => this.nextFollow(),
    compare: () => {
      if (this.store.comparable) {
        this.store.setCompare(this.store.playBefore ? "after" : "before");
      }
    },
    expand: () => this.expand(this.ui.cursor[0]),
    ghosts: () => this.focusOn(this.ui.focus < 0 ? this.ui.cursor[0] : -1),
    previousTrack: () => this.otherTrack(-1),
    nextTrack: () => this.otherTrack(1),
    previousNote: () => this.stepNote(-1),
    nextNote: () => this.stepNote(1),
    addNote: () => this.addNote(),
    help: () => this.host.toggleHelp(),
    lanes: () => this.host.toggleLanes(),
    chords: () => this.host.typeChords(),
    doubt: () => {
      this.store.save("show_uncertainty", !this.store.get("show_uncertainty"));
      this.store.changed("wishes");
    },
    doubtMenu: () => this.host.doubtMenu(),
  };

  constructor(
    private readonly store: Store,
    private readonly ui: UiState,
    private readonly host: ActionHost,
  ) {}

  /** Keys that do something as long as they are held. */
  listen(root: HTMLElement, signal: AbortSignal): void {
    const up = ({ key }: KeyboardEvent): void => {
      if (key === "`") {
        this.store.takes.flip(false);
      }
    };
    root.addEventListener("keyup", up, { signal });
  }

  run(action: Action): void {
    if (action.do === "tool") {
      this.setTool(action.tool);
    } else if (action.do === "take") {
      this.showTake(action.take);
    } else if (action.do === "role") {
      this.giveRole(withBarRole(this.store.get("plan") ?? {}, this.store.selection.cells(), action.role));
    } else if (action.do === "trackRole") {
      this.giveRole(withTrackRole(this.store.get("plan") ?? {}, this.store.selection.tracks(), action.role));
    } else if (action.do === "length") {
      this.notes?.lengthen(action.steps);
    } else if (action.do === "move" && this.notes?.active && !action.toEdge) {
      this.notes.nudge(action.bar, -action.track, action.extend);
    } else if (action.do === "move") {
      this.moveCursor(action.track, action.bar, action.extend, action.toEdge);
    } else {
      this.simple[action.do]();
    }
  }

  private toggleMetronome(): void {
    const on = !this.store.get("metronome");
    this.store.save("metronome", on);
    this.host.announce(strings.metronomeNow(on));
  }

  /** The next faster or slower of the usual speeds. */
  private speed(direction: 1 | -1): void {
    const factor = nextSpeed(this.store.player.rate, direction);
    this.store.save("tempo_factor", factor);
    this.host.announce(strings.speedNow(factor));
  }

  private nextFollow(): void {
    const next =
      FOLLOW[(FOLLOW.indexOf(this.store.get("follow") ?? FOLLOW[0]) + 1) % FOLLOW.length] ?? FOLLOW[0];
    this.store.save("follow", next);
    this.ui.follow = true;
    this.host.announce(strings.followNow(strings.followModes[next]));
  }

  showTake(take: number): void {
    const { takes } = this.store;
    takes.show(take);
    this.host.announce(take < 0 ? strings.takeOriginal : strings.takeNow(take + 1));
  }

  /** Roles of the selected bars or tracks. */
  private giveRole(plan: Plan): void {
    if (this.store.selection.size > 0 && !this.store.get("readonly")) {
      this.store.save("plan", plan);
    } else {
      this.host.announce(strings.nothingSelected);
    }
  }

  /** Selected bars, or the one at the cursor, stay with the take they show. */
  private holdBars(): void {
    const cells = this.store.selection.cells();
    for (const cell of cells.length > 0 ? cells : [this.ui.cursor]) {
      this.store.takes.toggleHeld(cell);
    }
  }

  setTool(tool: Tool): void {
    const { ui, store } = this;
    ui.tool = store.editable ? tool : HOME_TOOL;
    if (ui.tool === HOME_TOOL) {
      store.editor.select([]);
    }
    const info = TOOLS.find((row) => row.tool === ui.tool);
    this.host.announce(strings.toolNow(info?.label ?? ""));
    store.changed("edit");
    ui.dirty("overlay");
  }

  /** Chosen bars take the place of chosen notes: keys speak to what was chosen last. */
  select(selection: Selection): void {
    const { store } = this;
    if (store.editor.selected.size > 0) {
      store.editor.select([]);
    }
    store.select(selection);
    const what = describe(store.selection, store.names, store.bars.n);
    this.host.announce(what ? strings.selected(what) : strings.selectionCleared);
  }

  /** All bars of a track; Ctrl adds or removes, Shift extends from the anchor's track. */
  selectTrack(track: number, event: { shiftKey: boolean; ctrlKey: boolean; metaKey: boolean }): void {
    const { store, ui } = this;
    const lastBar = store.bars.n - 1;
    const row = Selection.rectangle([track, 0], [track, lastBar]);
    if (event.ctrlKey || event.metaKey) {
      const whole = store.selection.contains(row);
      this.select(whole ? store.selection.without(row) : store.selection.union(row));
    } else if (event.shiftKey) {
      this.select(Selection.rectangle([ui.anchor[0], 0], [track, lastBar]));
    } else {
      ui.anchor = [track, 0];
      this.select(row);
    }
    ui.cursor = [track, ui.cursor[1]];
    ui.dirty("overlay");
  }

  /** Makes a lane tall enough to read like a piano roll, or normal again. */
  expand(track: number): void {
    const { ui } = this;
    ui.expanded = ui.expanded === track ? -1 : track;
    this.host.relayout();
    const lane = ui.lanes[track];
    if (lane) {
      const bottom = lane.y + lane.height - ui.viewport.height;
      ui.setViewport({ ...ui.viewport, top: Math.min(lane.y, Math.max(ui.viewport.top, bottom)) });
    }
  }

  /** Gives a track all the height, with the others as ghosts; -1: shows all tracks again. */
  focusOn(track: number): void {
    const { ui, store } = this;
    ui.focus = track < store.tracks.length ? track : -1;
    if (ui.focus >= 0) {
      ui.cursor = [ui.focus, ui.cursor[1]];
    }
    this.host.relayout();
    store.changed("selection"); // the lanes show the curves of the track in focus
    this.host.announce(
      ui.focus < 0 ? strings.focusNone : strings.focusNow(store.names[ui.focus] ?? strings.track(ui.focus)),
    );
  }

  /** The track above or below: the cursor goes there, and with it the focus or the tall lane. */
  private otherTrack(step: number): void {
    const { ui, store } = this;
    const track = ui.cursor[0] + step;
    if (track < 0 || track >= store.tracks.length) {
      return;
    }
    ui.cursor = [track, ui.cursor[1]];
    ui.keyboard = true;
    if (ui.focus >= 0) {
      this.focusOn(track);
    } else if (ui.expanded >= 0 && ui.expanded !== track) {
      this.expand(track);
    }
    this.host.announce(store.names[track] ?? "");
    this.reveal(ui.cursor);
    ui.dirty("overlay");
  }

  playOrStop(): void {
    const { player } = this.store;
    this.ui.follow = true;
    if (player.playing) {
      player.stop();
    } else if (!player.play() && this.store.document) {
      this.host.announce(strings.noSound);
    }
  }

  goTo(tick: number): void {
    const { ui } = this;
    this.store.player.seek(tick);
    ui.follow = true;
    ui.setViewport({ ...ui.viewport, left: Math.min(ui.viewport.left, tick) });
  }

  /** Loops the selected bars; once more, or without a selection: off. */
  toggleLoop(): void {
    const { store } = this;
    const span = store.selection.barSpan();
    const { loop } = store.player;
    const same =
      loop && span && loop.start === store.bars.start(span[0]) && loop.end === store.bars.start(span[1]);
    if (loop && (same || !span)) {
      store.setLoop(null);
    } else if (span) {
      store.setLoop(span);
      if (!store.player.playing) {
        store.player.seek(store.bars.start(span[0]));
      }
    }
  }

  zoom(factor: number): void {
    const { ui } = this;
    ui.setViewport(zoomAt(ui.viewport, factor, ui.viewport.width / 2, ui.limits));
  }

  /** Shows the selected bars; once more: the whole piece. */
  zoomSelection(): void {
    const { store, ui } = this;
    const [from, to] = store.selection.barSpan() ?? [0, store.bars.n];
    const goal = zoomTo(ui.viewport, store.bars.start(from), store.bars.start(to), ui.limits);
    const near =
      Math.abs(goal.left - ui.viewport.left) < 1 && Math.abs(goal.scale / ui.viewport.scale - 1) < 0.01;
    ui.follow = false;
    ui.setViewport(near ? zoomTo(ui.viewport, 0, store.bars.end, ui.limits) : goal);
  }

  /** First stops what runs, then lays the tool down, then drops the selection, then leaves the roll. */
  private escape(): void {
    const { store } = this;
    if (this.host.cancelGesture()) {
      return;
    }
    if (store.running) {
      store.takes.keepGoing = false;
      store.attempt(store.cancel());
    } else if (store.takes.open) {
      store.attempt(store.takes.discard());
    } else if (this.ui.tool !== HOME_TOOL && this.ui.tool !== "select") {
      this.setTool("select");
    } else if (store.editor.selected.size > 0) {
      store.editor.select([]);
    } else if (this.ui.tool !== HOME_TOOL) {
      this.setTool(HOME_TOOL);
    } else if (store.selection.size > 0) {
      this.select(Selection.empty);
    } else {
      this.host.leave();
    }
  }

  private moveCursor(dTrack: number, dBar: number, extend: boolean, toEdge: boolean): void {
    const { store, ui } = this;
    if (store.bars.n === 0) {
      return;
    }
    const clamp = (value: number, n: number): number => Math.max(0, Math.min(n - 1, value));
    const far = toEdge ? 65_536 : 1;
    const next: Cell = [
      clamp(ui.cursor[0] + dTrack * far, store.tracks.length),
      clamp(ui.cursor[1] + dBar * far, store.bars.n),
    ];
    if (extend && store.selection.size === 0) {
      ui.anchor = ui.cursor;
    }
    ui.cursor = next;
    ui.keyboard = true;
    if (ui.focus >= 0 && ui.focus !== next[0]) {
      this.focusOn(next[0]);
    }
    if (!extend) {
      ui.anchor = next;
    }
    this.select(Selection.rectangle(ui.anchor, next));
    this.reveal(next);
    ui.dirty("overlay");
  }

  /** The note before or behind the selected one on the cursor's track; the cursor goes with it. */
  private stepNote(by: number): void {
    this.takeNotesInHand();
    this.follow(this.notes?.step(by, this.ui.cursor) ?? null);
  }

  private addNote(): void {
    this.takeNotesInHand();
    this.follow(this.notes?.add(this.ui.cursor) ?? null);
  }

  private takeNotesInHand(): void {
    if (this.ui.tool === HOME_TOOL && this.store.editable) {
      this.setTool("select");
    }
  }

  private follow(cell: Cell | null): void {
    if (cell) {
      this.ui.cursor = this.ui.anchor = cell;
      this.ui.keyboard = true;
      this.reveal(cell);
      this.ui.dirty("overlay");
    }
  }

  /** Scrolls as little as needed to show a cell. */
  private reveal([track, bar]: Cell): void {
    const { store, ui } = this;
    const lane = ui.lanes[track];
    const view = ui.viewport;
    if (!lane || contentHeight(ui.lanes) === 0) {
      return;
    }
    const rect = cellRect(view, store.bars, lane, bar);
    let { left, top } = view;
    if (rect.x < 0) {
      left = store.bars.start(bar);
    } else if (rect.x + rect.w > view.width) {
      left = store.bars.start(bar + 1) - view.width / view.scale;
    }
    if (rect.y < 0) {
      top = lane.y;
    } else if (rect.y + rect.h > view.height) {
      top = lane.y + lane.height - view.height;
    }
    ui.setViewport({ ...view, left, top });
  }
}
