/**
 * What a page fetches when it cannot use the sampled sound: the synthesiser, and rendering without a sound device.
 * Built into a file of its own (midigpt_nb/data/sound/simple.js).
 */
export { renderOffline } from "./offline.ts";
export { Synth } from "./synth.ts";

export type SimpleModule = typeof import("./simple.ts");
