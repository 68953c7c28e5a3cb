/** Code that came as bytes, as an address a browser loads from. */

/** Uses a Blob address; where pages may not (those opened from disk), a data address. */
export async function addressOf<T>(code: Uint8Array, load: (url: string) => Promise<T>): Promise<T> {
  const blob = new Blob([code as Uint8Array<ArrayBuffer>], { type: "text/javascript" });
  const url = URL.createObjectURL(blob);
  try {
    return await load(url);
  } catch {
    return await load(await dataUrl(blob));
  } finally {
    URL.revokeObjectURL(url);
  }
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
