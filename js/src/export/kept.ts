/**
 * What a file says besides notes, kept through edits of bars and tracks: the same rules as in the kernel
 * (src_cpp/score/assemble_midi.h, player_state.h). Every event goes where its time goes; where time jumps, what is set
 * is said again. Ticks are those of the file. Pure: no DOM.
 */
import { words } from "./words.ts";

export interface KeptEvent {
  chunk: number;
  tick: number;
  status: number;
  /** Without the status byte; a meta event begins with its type and its length. */
  data: readonly number[];
}

/** The chunk and channel that a track is written to. */
export interface Seat {
  chunk: number;
  channel: number;
}

export interface Kept {
  format: number;
  ticksPerQuarter: number;
  /** Track chunks in the order of the file, by number. */
  chunks: readonly number[];
  /** By tick, and in the order of the file at one tick. */
  events: readonly KeptEvent[];
  /** Of each track of the document. */
  seats: readonly Seat[];
  /** Real length of each bar: shorter than its metre says where the file changes metre before its end. */
  bars: readonly number[];
}

/** [start, end) of the old time, then `pad` ticks of silence. */
export interface Span {
  start: number;
  end: number;
  pad: number;
}

export const META = 0xff;
const TEMPO = 0x51;
export const METRE = 0x58;
const KEY = 0x59;
export const END = 0x2f;
export const NAME = 0x03;
const PORT = 0x21;
const PORTS = 128;
/** More than one program plays on a channel, or something else does. */
const MIXED = -2;
const DRUMS = 9;
const PROGRAM = 0xc0;
const CONTROL = 0xb0;
const DATA_BYTES = [6, 38];
const [NON_REGISTERED_LOW, NON_REGISTERED_HIGH, REGISTERED_LOW, REGISTERED_HIGH] = [98, 99, 100, 101];
const FIRST_MODE_MESSAGE = 120;
const HEADINGS = new Set([0x00, 0x02, NAME, 0x04, 0x09, 0x21, 0x54]);
const HEADINGS_AT_START = new Set([0x01, 0x20, 0x7f]);
const OF_TRACKS = new Set([NAME, 0x04, 0x05, 0x09, 0x20, 0x21]);

export const isMeta = ({ status, data }: KeptEvent, type: number): boolean =>
  status === META && data[0] === type;
const isChannel = ({ status }: KeptEvent): boolean => status < 0xf0;

/** What becomes of an event when its time is cut away: it is said again, kept once, or goes. */
function keepOf(event: KeptEvent): "setting" | "once" | "moment" | "metre" | "end" {
  const { status, data, tick } = event;
  const type = data[0] as number;
  if (isChannel(event)) {
    const moment = (status & 0xe0) === 0x80 || ((status & 0xf0) === CONTROL && type >= FIRST_MODE_MESSAGE);
    return moment ? "moment" : "setting";
  }
  if (status !== META) {
    return status === 0xf0 || status === 0xf7 ? "once" : "moment";
  }
  if (type === END) {
    return "end";
  }
  if (type === METRE) {
    return "metre";
  }
  if (type === TEMPO || type === KEY) {
    return "setting";
  }
  return HEADINGS.has(type) || (HEADINGS_AT_START.has(type) && tick === 0) ? "once" : "moment";
}

interface Value {
  order: number;
  chunk: number;
  status: number;
  data: readonly number[];
  /** Controllers that select the parameter this is the data of. */
  parameter?: readonly (readonly number[])[];
}

/** What a player has set at a moment. */
class PlayerState {
  readonly values = new Map<string, Value>();
  private readonly selected = new Map<string, { high: number; low: number; registered: boolean }>();
  private order = 0;

  /** `scopes`: who hears a chunk's channels; `pieces`: every chunk is a piece of its own. */
  constructor(
    private readonly scopes: ReadonlyMap<number, number>,
    private readonly pieces: boolean,
  ) {}

  copy(): PlayerState {
    const copy = new PlayerState(this.scopes, this.pieces);
    for (const [key, value] of this.values) {
      copy.values.set(key, value);
    }
    for (const [channel, own] of this.selected) {
      copy.selected.set(channel, { ...own });
    }
    return copy;
  }

  /** The key that an event sets; "" for one that sets nothing. */
  take({ chunk, status, data }: Omit<KeptEvent, "tick">): string {
    const number = data[0] ?? 0;
    const channel = `${this.scopes.get(chunk) ?? 0}.${status & 15}`;
    let key = "";
    let parameter: Value["parameter"];
    if (status === META) {
      key = number === TEMPO || number === KEY ? `m${number}${this.pieces ? `/${chunk}` : ""}` : "";
    } else if ((status & 0xf0) === CONTROL && number < FIRST_MODE_MESSAGE) {
      const own = this.selected.get(channel) ?? { high: 127, low: 127, registered: true };
      this.selected.set(channel, own);
      if (number === REGISTERED_HIGH || number === NON_REGISTERED_HIGH) {
        own.high = data[1] as number;
      }
      if (number === REGISTERED_LOW || number === NON_REGISTERED_LOW) {
        own.low = data[1] as number;
      }
      if (number >= NON_REGISTERED_LOW && number <= REGISTERED_HIGH) {
        own.registered = number >= REGISTERED_LOW;
      }
      key = `c${channel}/${number}`;
      if (DATA_BYTES.includes(number)) {
        const { high, low, registered } = own;
        key = `p${channel}/${registered}/${high}/${low}/${number}`;
        parameter = [
          [registered ? REGISTERED_HIGH : NON_REGISTERED_HIGH, high],
          [registered ? REGISTERED_LOW : NON_REGISTERED_LOW, low],
        ];
      }
    } else if (status < 0xf0 && status >= 0xa0 && (status & 0xf0) !== CONTROL) {
      const kind = status & 0xf0;
      key =
        kind === PROGRAM
          ? `${kind}/${channel}/${chunk}`
          : `${kind}/${channel}${kind === 0xa0 ? `/${number}` : ""}`;
    }
    if (key) {
      const value = { order: ++this.order, chunk, status, data };
      this.values.set(key, parameter ? { ...value, parameter } : value);
    }
    return key;
  }
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

const RESTING: Readonly<Record<number, number>> = { 7: 100, 8: 64, 10: 64, 11: 127, 1: 0, 2: 0, 4: 0 };

/** What a value is before anything was set; null where that is not known. */
function atRest({ status, data }: Value): readonly number[] | null {
  const number = data[0] as number;
  switch (status & 0xf0) {
    case 0xa0:
      return [number, 0];
    case CONTROL: {
      const rest = RESTING[number] ?? (number >= 64 && number <= 69 ? 0 : null);
      return rest === null ? null : [number, rest];
    }
    case PROGRAM:
    case 0xd0:
      return [0];
    case 0xe0:
      return [0, 64];
    default:
      return number === TEMPO ? tempoData(500_000) : [KEY, 2, 0, 0];
  }
}

export const tempoData = (micros: number): number[] => [
  TEMPO,
  3,
  (micros >> 16) & 255,
  (micros >> 8) & 255,
  micros & 255,
];

/** A stretch put together from others, event by event. */
class Assembler {
  readonly result: (KeptEvent & { rank: number })[] = [];
  private readonly scopes = new Map<number, number>();
  private readonly state: PlayerState;
  private readonly written = new Set<KeptEvent>();
  private readonly jumpsBack: number;
  private at = 0;
  private rank = 0;

  constructor(
    private readonly events: readonly KeptEvent[],
    private readonly spans: readonly Span[],
    private readonly pieces: boolean,
  ) {
    for (const event of events) {
      if (pieces ? !this.scopes.has(event.chunk) : isMeta(event, PORT) && !this.scopes.has(event.chunk)) {
        this.scopes.set(event.chunk, pieces ? event.chunk : (event.data[2] ?? 0));
      }
    }
    this.state = new PlayerState(this.scopes, pieces);
    const back = spans.map((span, i) => i > 0 && span.start < (spans[i - 1] as Span).end);
    this.jumpsBack = back.lastIndexOf(true);
  }

  run(): KeptEvent[] {
    const { spans } = this;
    spans.forEach((span, i) => {
      const before = spans[i - 1];
      if (before ? before.end !== span.start : span.start > 0) {
        this.sayAgain(span);
      }
      if (i === 0 && span.start === span.end) {
        this.placeFirstMoment(span);
      }
      for (const event of this.events) {
        if (event.tick >= span.start && event.tick < span.end) {
          this.place(event, span, i);
        }
      }
      this.at += (Number.isFinite(span.end) ? span.end - span.start : 0) + span.pad;
    });
    this.result.sort((a, b) => a.tick - b.tick || a.rank - b.rank);
    return this.result.map(({ rank: _, ...event }) => event);
  }

  private put(event: Omit<KeptEvent, "tick">, tick: number): void {
    const { chunk, status, data } = event;
    this.result.push({ chunk, tick, status, data, rank: this.rank++ });
    this.state.take(event);
  }

  private place(event: KeptEvent, span: Span, i: number): void {
    const keep = keepOf(event);
    const first = this.spans[0] as Span;
    const said = this.written.has(event);
    const silence = first.start === first.end && event.tick === first.start;
    if (
      keep === "end"
        ? i < this.spans.length - 1
        : said && (keep === "once" || (keep === "setting" && silence))
    ) {
      return;
    }
    // A note that never ends would take the end of one that comes again.
    if (i < this.jumpsBack && (event.status & 0xf0) === 0x90 && (event.data[1] ?? 0) > 0) {
      return;
    }
    this.written.add(event);
    this.put(event, this.at + event.tick - span.start);
  }

  /** Silence before everything else: what the first moment sets holds there, too. */
  private placeFirstMoment(span: Span): void {
    for (const event of this.events) {
      if (event.tick === span.start && ["setting", "once"].includes(keepOf(event))) {
        this.written.add(event);
        this.put(event, 0);
      }
    }
  }

  private sayAgain({ start }: Span): void {
    const there = new PlayerState(this.scopes, this.pieces);
    const atOnce = new Set<string>();
    for (const event of this.events) {
      if (event.tick > start) {
        break;
      }
      const keep = keepOf(event);
      if (keep === "once" && event.tick < start && !this.written.has(event)) {
        this.written.add(event);
        this.put(event, this.at);
      } else if (keep === "setting" && event.tick < start) {
        there.take(event);
      } else if (keep === "setting") {
        atOnce.add(there.copy().take(event)); // the parameter that is selected counts
      }
    }
    const wanted: Value[] = [];
    for (const [key, value] of there.values) {
      const now = this.state.values.get(key);
      if (!atOnce.has(key) && !(now && now.status === value.status && same(now.data, value.data))) {
        wanted.push(value);
      }
    }
    for (const [key, value] of this.state.values) {
      const rest = there.values.has(key) || atOnce.has(key) || value.parameter ? null : atRest(value);
      if (rest && !same(rest, value.data)) {
        wanted.push({ ...value, data: rest });
      }
    }
    wanted.sort((a, b) => a.order - b.order);
    for (const { chunk, status, data, parameter } of wanted) {
      for (const bytes of [...(parameter ?? []), data]) {
        this.put({ chunk, status, data: bytes }, this.at);
      }
      for (const number of parameter
        ? [NON_REGISTERED_LOW, NON_REGISTERED_HIGH, REGISTERED_LOW, REGISTERED_HIGH]
        : []) {
        const selected = there.values.get(`c${this.scopes.get(chunk) ?? 0}.${status & 15}/${number}`);
        if (selected) {
          this.put({ ...selected }, this.at);
        }
      }
    }
  }
}

/** The events of other stretches of time. */
export function rearranged(kept: Kept, spans: readonly Span[]): Kept {
  return { ...kept, events: new Assembler(kept.events, spans, kept.format === 2).run() };
}

/** One tempo from a tick on. */
export function withTempo(kept: Kept, tick: number, micros: number): Kept {
  const others = kept.events.filter((event) => !isMeta(event, TEMPO));
  const [chunk = 0] = kept.chunks;
  const before = kept.events.filter(
    (event) => isMeta(event, TEMPO) && event.tick < tick && microsOf(event) > 0,
  );
  const tempi = before.map((event) => ({ ...event, chunk }));
  const all = [...tempi, { chunk, tick, status: META, data: tempoData(micros) }, ...others];
  return { ...kept, events: all.sort((a, b) => a.tick - b.tick) };
}

/** Of a tempo event; 0 for a damaged one. */
function microsOf({ data: [, length, a = 0, b = 0, c = 0] }: KeptEvent): number {
  return length === 3 ? (a << 16) | (b << 8) | c : 0;
}

/** [tick of the file, microseconds per quarter], first at tick 0. */
export function tempoMap({ events }: Kept): [number, number][] {
  const tempi = new Map<number, number>([[0, 500_000]]);
  for (const event of events) {
    if (isMeta(event, TEMPO) && microsOf(event) > 0) {
      tempi.set(event.tick, microsOf(event));
    }
  }
  return [...tempi].sort((a, b) => a[0] - b[0]);
}

/** Without a track, and without what only it needs: channel events of its seat, names and lyrics of its chunk. */
export function withoutTrack(kept: Kept, track: number): Kept {
  const gone = kept.seats[track] as Seat;
  const left = kept.seats.filter((_, i) => i !== track);
  const sharesChunk = left.some(({ chunk }) => chunk === gone.chunk);
  const sharesSeat = left.some(({ chunk, channel }) => chunk === gone.chunk && channel === gone.channel);
  const goes = (event: KeptEvent): boolean => {
    if (event.chunk !== gone.chunk) {
      return false;
    }
    if (!isChannel(event)) {
      return !sharesChunk && event.status === META && OF_TRACKS.has(event.data[0] as number);
    }
    return (event.status & 15) === gone.channel ? !sharesSeat : !sharesChunk;
  };
  const events = kept.events.filter((event) => !goes(event));
  const empty =
    !sharesChunk &&
    events.every(({ chunk, data, status }) => chunk !== gone.chunk || (status === META && data[0] === END));
  return {
    ...kept,
    seats: left,
    chunks: empty ? kept.chunks.filter((chunk) => chunk !== gone.chunk) : kept.chunks,
    events: empty ? events.filter(({ chunk }) => chunk !== gone.chunk) : events,
  };
}

/** With a new track at place `at`: a chunk of its own, on a free channel. `programs`: of the tracks that are there. */
export function withTrack(
  kept: Kept,
  at: number,
  { program, drum, name }: { program: number; drum: boolean; name: string },
  programs: readonly number[],
): Kept {
  const chunk = Math.max(-1, ...kept.chunks, ...kept.seats.map((seat) => seat.chunk)) + 1;
  const { port, channel } = drum ? { port: 0, channel: DRUMS } : freeSeat(kept, program, programs);
  const heading: KeptEvent[] = port > 0 ? [{ chunk, tick: 0, status: META, data: [PORT, 1, port] }] : [];
  heading.push(...(name ? [{ chunk, tick: 0, status: META, data: textData(NAME, name) }] : []));
  heading.push({ chunk, tick: 0, status: PROGRAM | channel, data: [program] });
  const seats = [...kept.seats];
  seats.splice(at, 0, { chunk, channel });
  const events = [...kept.events, ...heading].sort((a, b) => a.tick - b.tick);
  const format = kept.format === 0 ? 1 : kept.format;
  return { ...kept, format, chunks: [...kept.chunks, chunk], events, seats };
}

/** Port that a chunk names; 0 where it names none. */
const portOf = ({ events }: Kept, chunk: number): number =>
  (events.find((event) => event.chunk === chunk && isMeta(event, PORT))?.data[2] ?? 0) % PORTS;

/**
 * Where a new melodic track goes: a channel that nothing uses, else one whose only program this is, else a channel of
 * another port; as in the kernel (src_cpp/score/channel_pool.h).
 */
function freeSeat(
  kept: Kept,
  program: number,
  programs: readonly number[],
): { port: number; channel: number } {
  const { chunks, events, seats } = kept;
  const ports = new Map(chunks.map((chunk) => [chunk, portOf(kept, chunk)]));
  const place = (chunk: number, channel: number): number => (ports.get(chunk) ?? 0) * 16 + channel;
  const held = new Map<number, number>();
  for (const event of events) {
    if (isChannel(event)) {
      held.set(place(event.chunk, event.status & 15), MIXED);
    }
  }
  const seen = new Set<number>();
  seats.forEach(({ chunk, channel }, track) => {
    const at = place(chunk, channel);
    const own = programs[track] ?? MIXED;
    held.set(at, !seen.has(at) || held.get(at) === own ? own : MIXED);
    seen.add(at);
  });
  const melodic = Array.from({ length: 16 }, (_, channel) => channel).filter((channel) => channel !== DRUMS);
  for (const wanted of [undefined, program]) {
    const channel = melodic.find((one) => held.get(one) === wanted);
    if (channel !== undefined) {
      return { port: 0, channel };
    }
  }
  for (let port = 1; port < PORTS; port++) {
    const channel = melodic.find((one) => [undefined, program].includes(held.get(port * 16 + one)));
    if (channel !== undefined) {
      return { port, channel };
    }
  }
  throw new Error(words.noChannel);
}

/** The chunk that the file has for a track without notes: of its name, with nothing but its program in it. */
export function emptySeat(
  { chunks, events, seats }: Kept,
  { program, name }: { program: number; name: string },
): Seat | null {
  for (const chunk of chunks) {
    const own = events.filter((event) => event.chunk === chunk);
    const [set, ...others] = own.filter(isChannel);
    const heading = own.find((event) => isMeta(event, NAME));
    if (
      set &&
      others.length === 0 &&
      (set.status & 0xf0) === PROGRAM &&
      set.data[0] === program &&
      !seats.some((seat) => seat.chunk === chunk) &&
      (!heading || same(heading.data, textData(NAME, name)))
    ) {
      return { chunk, channel: set.status & 15 };
    }
  }
  return null;
}

/** Tracks in another order: `order[new]` is the old place. Chunks follow, so that they are read in that order. */
export function withOrder(kept: Kept, order: readonly number[]): Kept {
  const seats = order.map((old) => kept.seats[old] as Seat);
  const wanted = [...new Set(seats.map(({ chunk }) => chunk))];
  let next = 0;
  const chunks = kept.chunks.map((chunk) => (wanted.includes(chunk) ? (wanted[next++] as number) : chunk));
  return { ...kept, seats, chunks };
}

/** Another instrument: the program changes that lead into a track. */
export function withProgram(kept: Kept, track: number, before: number, program: number): Kept {
  const { chunk, channel } = kept.seats[track] as Seat;
  const own = (event: KeptEvent): boolean => event.chunk === chunk && event.status === (PROGRAM | channel);
  if (!kept.events.some(own)) {
    const set: KeptEvent = { chunk, tick: 0, status: PROGRAM | channel, data: [program] };
    return { ...kept, events: [...kept.events, set].sort((a, b) => a.tick - b.tick) };
  }
  const events = kept.events.map((event) =>
    own(event) && event.data[0] === before ? { ...event, data: [program] } : event,
  );
  return { ...kept, events };
}

/** Another name, where a track has a chunk to itself. */
export function withName(kept: Kept, track: number, name: string): Kept {
  const { chunk } = kept.seats[track] as Seat;
  if (kept.seats.filter((seat) => seat.chunk === chunk).length > 1) {
    return kept;
  }
  const data = textData(NAME, name);
  const old = kept.events.find((event) => event.chunk === chunk && isMeta(event, NAME));
  const events = old
    ? kept.events.map((event) => (event === old ? { ...event, data } : event))
    : [{ chunk, tick: 0, status: META, data }, ...kept.events];
  return { ...kept, events };
}

export const textData = (type: number, text: string): number[] => {
  const bytes = [...new TextEncoder().encode(text)];
  return [type, ...variable(bytes.length), ...bytes];
};

/** A variable-length quantity. */
export function variable(n: number): number[] {
  const bytes = [n & 127];
  for (let rest = n >>> 7; rest > 0; rest >>>= 7) {
    bytes.unshift((rest & 127) | 128);
  }
  return bytes;
}

const HEARD = new Set([1, 7, 10, 11, 64, 66, 67, 91, 93]);
const BEND = -1;

/** [tick of the file, track, controller, value] of what is heard besides notes: see widgets/channel_events.py. */
export function heardControls({ events, seats }: Kept): [number, number, number, number][] {
  const rows: [number, number, number, number][] = [];
  for (const { chunk, tick, status, data } of events) {
    const [first = 0, second = 0] = data;
    const bend = (status & 0xf0) === 0xe0;
    if (status < 0xf0 && (bend || ((status & 0xf0) === CONTROL && HEARD.has(first)))) {
      seats.forEach((seat, track) => {
        if (seat.chunk === chunk && seat.channel === (status & 15)) {
          rows.push(bend ? [tick, track, BEND, first | (second << 7)] : [tick, track, first, second]);
        }
      });
    }
  }
  return rows;
}
