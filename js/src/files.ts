/** MIDI files, projects and pictures: what is saved from the roll, and what is dropped on it. */
import { h } from "./dom.ts";
import type { MenuItem, MenuPage } from "./panel/menu.ts";
import type { Requests } from "./protocol.gen.ts";
import type { Store } from "./store.ts";
import { strings } from "./strings.ts";

/** Size of one part of a file that is sent to the kernel. */
export const PART_BYTES = 512 * 1024;
const MOST_BYTES = 32 * 1024 * 1024;
const LONGEST_DATA_URL = 1_500_000;

export class Files {
  constructor(
    private readonly store: Store,
    private readonly root: HTMLElement,
    private readonly announce: (text: string) => void,
    /** Opens a page beside the button of files. */
    private readonly show: (page: MenuPage) => void,
    /** Another piece has come from a file. */
    private readonly opened: () => void,
  ) {}

  /** The menu of the toolbar's file button. */
  page(): MenuPage {
    const { store } = this;
    return {
      label: strings.files,
      items: [
        {
          label: strings.downloadMidi,
          testid: "mgnb-download-midi",
          disabled: !store.document,
          run: () => store.attempt(this.downloadMidi()),
        },
        {
          label: strings.downloadPng,
          testid: "mgnb-download-png",
          disabled: !store.document,
          run: () => store.attempt(this.downloadPng()),
        },
        ...(store.caps.exported ? [] : this.ofPython()),
      ],
    };
  }

  /** What only Python can do. */
  private ofPython(): (MenuItem | null)[] {
    const { store } = this;
    const disabled = !store.document || store.connection.viewOnly;
    return [
      {
        label: strings.downloadProject,
        testid: "mgnb-download-project",
        disabled,
        run: () => store.attempt(this.downloadProject()),
      },
      {
        label: strings.downloadHtml,
        testid: "mgnb-download-html",
        disabled,
        run: () => store.attempt(this.downloadHtml()),
      },
      {
        label: strings.copyCode,
        testid: "mgnb-copy-code",
        disabled,
        run: () => store.attempt(this.copyCode()),
      },
      null,
      {
        label: strings.openFile,
        testid: "mgnb-open-file",
        disabled: !store.editable,
        run: () => this.choose(),
      },
    ];
  }

  /** MIDI files and projects dropped anywhere on the roll replace the piece. */
  listen(signal: AbortSignal): void {
    const { root } = this;
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    const mark = (on: boolean): void => {
      root.classList.toggle("mgnb-dropping", on);
    };
    const over = (event: DragEvent): void => {
      if (hasFiles(event)) {
        event.preventDefault();
        event.stopPropagation();
        mark(this.store.editable);
      }
    };
    root.addEventListener("dragenter", over, { signal });
    root.addEventListener("dragover", over, { signal });
    root.addEventListener(
      "dragleave",
      (event) => {
        if (!root.contains(event.relatedTarget as Node | null)) {
          mark(false);
        }
      },
      { signal },
    );
    root.addEventListener(
      "drop",
      (event) => {
        if (!hasFiles(event)) {
          return;
        }
        event.preventDefault();
        event.stopPropagation();
        mark(false);
        const file = event.dataTransfer?.files[0];
        if (file) {
          this.store.attempt(this.upload(file));
        }
      },
      { signal },
    );
  }

  private async downloadMidi(): Promise<void> {
    const { blob, name } = await this.fetch("midi");
    await this.save(new Blob([blob], { type: "audio/midi" }), name);
  }

  private async downloadProject(): Promise<void> {
    const { blob, name } = await this.fetch("project");
    await this.save(new Blob([blob], { type: "application/zip" }), name);
  }

  private async downloadHtml(): Promise<void> {
    this.announce(strings.makingPage);
    const { blob, name } = await this.fetch("html");
    await this.save(new Blob([blob], { type: "text/html" }), name);
  }

  /** To the clipboard; where the page may not, the text is selected for the person to copy. */
  private async copyCode(): Promise<void> {
    const text = await (await this.fetch("code")).blob.text();
    try {
      await navigator.clipboard.writeText(text);
      this.announce(strings.codeCopied);
    } catch {
      const box = h("textarea", {
        class: "mgnb-menu-field mgnb-code",
        testid: "mgnb-code",
        attrs: { readonly: true, rows: 12, "aria-label": strings.codeSelected, spellcheck: "false" },
      });
      box.value = text;
      const words = h("p", { class: "mgnb-code-words", text: strings.codeSelected });
      this.show({ label: strings.copyCode, above: h("div", {}, words, box) });
      this.announce(strings.codeSelected);
    }
  }

  /** A file that the kernel makes of the roll, part by part. */
  private async fetch(what: Requests["file"]["what"]): Promise<{ blob: Blob; name: string }> {
    const found: DataView<ArrayBuffer>[] = [];
    let [key, name, parts] = ["", "", 1];
    for (let part = 0; part < parts; part++) {
      const { ok, buffers } = await this.store.ask("file", { what, part, key });
      [key, name, parts] = [ok.key ?? "", ok.name ?? what, ok.parts ?? 1];
      found.push(buffers[0] as DataView<ArrayBuffer>);
    }
    return { blob: new Blob(found), name };
  }

  private async downloadPng(): Promise<void> {
    const picture = pictureOf(this.root);
    const blob = await new Promise<Blob | null>((resolve) => picture.toBlob(resolve, "image/png"));
    if (blob) {
      const title = this.store.document?.header.title || "roll";
      await this.save(blob, `${title.replace(/\.[a-z]{2,4}$/i, "")}.png`);
    }
  }

  private async save(blob: Blob, name: string): Promise<void> {
    await saveFile(this.root, blob, name);
    this.announce(strings.saved(name));
  }

  /** Asks for a file from this computer. */
  choose(): void {
    const input = this.root.ownerDocument.createElement("input");
    input.type = "file";
    input.accept = ".mid,.midi,audio/midi,.mgnb";
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      if (file) {
        this.store.attempt(this.upload(file));
      }
    });
    input.click();
  }

  private async upload(file: File): Promise<void> {
    const { store } = this;
    if (!store.editable) {
      this.announce(strings.readonly);
      return;
    }
    if (file.size > MOST_BYTES) {
      store.fail({
        code: "too_large",
        message: strings.tooLarge(file.name),
        hint: strings.tooLargeHint,
        kind: "upload",
      });
      return;
    }
    this.announce(strings.opening(file.name));
    const bytes = await file.arrayBuffer();
    const parts = Math.max(1, Math.ceil(bytes.byteLength / PART_BYTES));
    for (let part = 0; part < parts; part++) {
      const piece = bytes.slice(part * PART_BYTES, (part + 1) * PART_BYTES);
      await store.ask("upload", { name: file.name, part, parts }, [piece]);
    }
    this.opened();
    this.announce(strings.opened(file.name));
  }
}

/** Small files as data addresses: hosts that shut pages in (VS Code) let only those out. */
export async function saveFile(root: HTMLElement, blob: Blob, name: string): Promise<void> {
  const small = blob.size <= LONGEST_DATA_URL;
  const url = small ? await dataUrl(blob) : URL.createObjectURL(blob);
  const link = root.ownerDocument.createElement("a");
  link.href = url;
  link.download = name;
  link.hidden = true;
  root.append(link);
  link.click();
  link.remove();
  if (!small) {
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

/** The roll as it is shown, its canvases one over the other; the headers stay outside. */
function pictureOf(root: HTMLElement): HTMLCanvasElement {
  const surface = root.querySelector(".mgnb-surface") as HTMLElement;
  const keys = root.querySelector<HTMLCanvasElement>(".mgnb-canvas-keys");
  const box = surface.getBoundingClientRect();
  const left = keys ? keys.getBoundingClientRect().left : box.left;
  const scale = globalThis.devicePixelRatio || 1;
  const picture = root.ownerDocument.createElement("canvas");
  picture.width = Math.round((box.right - left) * scale);
  picture.height = Math.round(box.height * scale);
  const ctx = picture.getContext("2d");
  if (ctx) {
    ctx.fillStyle = getComputedStyle(root).backgroundColor;
    ctx.fillRect(0, 0, picture.width, picture.height);
    const layers = [...surface.querySelectorAll<HTMLCanvasElement>("canvas")];
    for (const canvas of keys ? [keys, ...layers] : layers) {
      const place = canvas.getBoundingClientRect();
      if (canvas.width > 0 && canvas.height > 0) {
        const [x, y] = [(place.left - left) * scale, (place.top - box.top) * scale];
        ctx.drawImage(canvas, x, y, place.width * scale, place.height * scale);
      }
    }
  }
  return picture;
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
