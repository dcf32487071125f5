/** The files of a page, beside it or inside it. */
export interface SiteFiles {
  read(name: string): Promise<Uint8Array>;
  /** What an `img` shows. */
  url(name: string): string;
  startWorker(): Worker;
}

/** Reads files from beside the page, or, on a page that is one file, from its own `script` elements of type text/plain. */
export function siteFiles(): SiteFiles {
  const inlined = new Map(
    [...document.querySelectorAll<HTMLScriptElement>('script[data-file]')].map((element) => [
      element.dataset.file as string,
      element,
    ]),
  );
  const bytesOf = (element: HTMLScriptElement): Uint8Array<ArrayBuffer> =>
    Uint8Array.from(atob((element.textContent ?? '').trim()), (character) => character.charCodeAt(0));
  const found = (name: string): HTMLScriptElement | undefined => inlined.get(name);
  const blobUrl = (name: string, type: string): string | undefined => {
    const element = found(name);
    return element && URL.createObjectURL(new Blob([bytesOf(element)], { type }));
  };
  return {
    read: async (name) => {
      const element = found(name);
      if (element !== undefined) return bytesOf(element);
      const response = await fetch(name);
      if (!response.ok) throw new Error(`${name}: expected a file, the server answered ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    },
    url: (name) => blobUrl(name, 'image/png') ?? name,
    startWorker: () => new Worker(blobUrl('worker.js', 'text/javascript') ?? 'worker.js'),
  };
}
