/** TABLE: what an exported page says before its roll is there. */
export const tooOld = (why: string): string => `This page needs a newer browser (${why}).`;
