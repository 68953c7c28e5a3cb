/** Named one-shot timers: setting one again replaces it, and one call ends them all. */
export class Timers {
  private readonly running = new Map<string, ReturnType<typeof setTimeout>>();

  has(name: string): boolean {
    return this.running.has(name);
  }

  set(name: string, ms: number, action: () => void): void {
    this.cancel(name);
    this.running.set(
      name,
      setTimeout(() => {
        this.running.delete(name);
        action();
      }, ms),
    );
  }

  /** Starts a timer unless it runs already. */
  once(name: string, ms: number, action: () => void): void {
    if (!this.has(name)) {
      this.set(name, ms, action);
    }
  }

  cancel(name: string): void {
    clearTimeout(this.running.get(name));
    this.running.delete(name);
  }

  cancelAll(): void {
    for (const timer of this.running.values()) {
      clearTimeout(timer);
    }
    this.running.clear();
  }
}
