/** The sampled sound, fetched from the kernel (or from the exported page). */
import type { Kernel } from "../model.ts";
import type { SampledChoice } from "./player.ts";
import { SampledSound } from "./sampled.ts";
import type { SimpleModule } from "./simple.ts";
import { type FetchPart, importText, type SoundFiles, soundFile, soundFiles } from "./sound_files.ts";

const KEEP_MS = 1000;

const partsFrom =
  (ask: Kernel["request"]): FetchPart =>
  async (file, part) => {
    const { ok, buffers } = await ask("sound", { file, part });
    if (!buffers[0]) {
      throw new Error("no sound came");
    }
    return { bytes: buffers[0], parts: ok.parts ?? 1 };
  };

/** Files of the sampled sound; `name`: of the bank. */
export const kernelFiles = (name: string, ask: Kernel["request"]): Promise<SoundFiles> =>
  soundFiles(name, partsFrom(ask));

/** The simple sound's code. */
export const simpleModule = async (ask: Kernel["request"]): Promise<SimpleModule> =>
  importText<SimpleModule>(await soundFile("simple", partsFrom(ask)));

export function sampledSound(name: string, ask: Kernel["request"]): SampledChoice | null {
  return name
    ? {
        name,
        fetch: () => void kernelFiles(name, ask).catch(() => {}), // the click will ask again, and say why not
        open: async (context) => {
          const { worklet, bank } = await kernelFiles(name, ask);
          return SampledSound.open(context, context.destination, worklet, bank);
        },
      }
    : null;
}

/** Fetches the simple sound while the kernel is there, so that a roll that loses it still plays. */
export function keepSound(store: { ask: Kernel["request"] }): () => void {
  const timer = setTimeout(() => soundFile("simple", partsFrom(store.ask)).catch(() => {}), KEEP_MS);
  return () => clearTimeout(timer);
}
