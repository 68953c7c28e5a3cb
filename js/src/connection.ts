/**
 * Whether Python is there. JupyterLab and Notebook tell by their kernel's status; elsewhere a request that nobody
 * answers for long is all there is to know. What waits for an answer is sent again when Python is back.
 */
import type { Kernel } from "./model.ts";
import { Timers } from "./timers.ts";

/** "away": the line is down; "gone": the kernel ended; "none": there never was one; "silent": no answer for long. */
export type Lost = "" | "away" | "gone" | "none" | "silent";

interface Signal {
  connect(slot: (sender: unknown, value: string) => void): void;
  disconnect(slot: (sender: unknown, value: string) => void): void;
}

/** The part of JupyterLab's kernel connection that is looked at. */
interface HostKernel {
  status?: string;
  connectionStatus?: string;
  statusChanged?: Signal;
  connectionStatusChanged?: Signal;
}

const ENDED: readonly string[] = ["dead", "restarting", "autorestarting", "terminating"];
const SILENT_MS = 20_000;

export class Connection {
  /** Why there is no Python, "" while there is. */
  lost: Lost = "";

  private probing = false;
  private unanswered = 0;
  private askedAt = 0;
  private readonly timers = new Timers();
  private readonly host: HostKernel | null | undefined;

  constructor(
    private readonly kernel: Kernel,
    manager: unknown,
    private readonly onChange: (back: boolean) => void,
  ) {
    const known = typeof manager === "object" && manager !== null && "kernel" in manager;
    this.host = known ? (manager as { kernel: HostKernel | null }).kernel : undefined;
    this.host?.statusChanged?.connect(this.statusIs);
    this.host?.connectionStatusChanged?.connect(this.lineIs);
    if (this.host === null) {
      this.lost = "none";
    } else if (this.host?.status && ENDED.includes(this.host.status)) {
      this.lost = "gone";
    }
    if (this.host === undefined) {
      kernel.watchers.add(this.asked);
    }
  }

  /** Nothing can be changed now. */
  get viewOnly(): boolean {
    return this.lost !== "" && this.lost !== "silent";
  }

  dispose(): void {
    this.host?.statusChanged?.disconnect(this.statusIs);
    this.host?.connectionStatusChanged?.disconnect(this.lineIs);
    this.kernel.watchers.delete(this.asked);
    this.timers.cancelAll();
  }

  private readonly statusIs = (_: unknown, status: string): void => {
    if (ENDED.includes(status)) {
      this.set("gone");
    } else if (this.lost === "gone") {
      this.probe(); // another kernel answers nothing: it does not know this roll
    }
  };

  private readonly lineIs = (_: unknown, line: string): void => {
    if (line === "connected") {
      this.probe();
    } else if (this.lost === "") {
      this.set("away");
    }
  };

  private readonly asked = (
    _kind: unknown,
    _payload: unknown,
    _buffers: unknown,
    answer: Promise<unknown>,
  ) => {
    this.askedAt = this.unanswered > 0 ? this.askedAt : performance.now();
    this.unanswered += 1;
    this.timers.once("listen", SILENT_MS, () => this.listen());
    const answered = (): void => {
      this.unanswered -= 1;
      if (this.unanswered === 0) {
        this.timers.cancelAll();
      }
      if (this.lost === "silent") {
        this.set("");
      }
    };
    answer.then(answered, answered);
  };

  private listen(): void {
    const quiet = performance.now() - Math.max(this.askedAt, this.kernel.heardAt);
    if (quiet < SILENT_MS) {
      this.timers.once("listen", SILENT_MS - quiet, () => this.listen());
    } else if (this.lost === "") {
      this.set("silent");
    }
  }

  /** Asks something harmless; the answer is the sign of life. It is repeated until it comes. */
  private probe(): void {
    if (this.lost === "" || this.probing) {
      return;
    }
    this.probing = true;
    const settled = (alive: boolean): void => {
      this.probing = false;
      if (alive) {
        this.set("");
      }
    };
    this.kernel.request("doc", {}).then(
      () => settled(true),
      (error: { code?: string }) => settled(error.code !== "disconnected"),
    );
  }

  private set(lost: Lost): void {
    if (lost !== this.lost) {
      const back = lost === "" && this.lost !== "silent";
      this.lost = lost;
      if (back) {
        this.kernel.repeatAll();
      }
      this.onChange(back);
    }
  }
}
