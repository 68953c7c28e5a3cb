/**
 * What desk.js takes from widget.js, so that no module is on the page twice. The build fills this list with what the
 * desk's modules import from modules of widget.js (see split.mjs); unbundled, everything is one program anyway.
 */
export const core: readonly unknown[] = [];
