/** Numbered events of one job, delivered once and in order whatever the wire does. Pure. */

export class EventSequence<E extends { n: number }> {
  private held = new Map<number, E>();

  /** `next`: number of the event that is due. */
  constructor(private due = 0) {}

  get next(): number {
    return this.due;
  }

  /** True while a later event waits for a missing one: ask for the whole picture. */
  get hasGap(): boolean {
    return this.held.size > 0;
  }

  /** Takes one event; returns those that may be applied now, in order. Duplicates give nothing. */
  push(event: E): E[] {
    if (event.n >= this.due) {
      this.held.set(event.n, event);
    }
    return this.drain();
  }

  /** The picture of the job holds all events before `n`; returns held events that follow it. */
  skipTo(n: number): E[] {
    this.due = Math.max(this.due, n);
    for (const key of [...this.held.keys()]) {
      if (key < this.due) {
        this.held.delete(key);
      }
    }
    return this.drain();
  }

  private drain(): E[] {
    const ready: E[] = [];
    for (let event = this.held.get(this.due); event; event = this.held.get(this.due)) {
      this.held.delete(this.due);
      this.due += 1;
      ready.push(event);
    }
    return ready;
  }
}
