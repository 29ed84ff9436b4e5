/** Notices that the page or the network is back, so that a client need not sit out its back-off, and that the page goes. */

/** What a page goes through, as far as a client cares. */
export interface PageHandlers {
  /** Dialing is worth a try right now. */
  wake(): void;
  /** Nothing of this page may run again. `mayReturn`: it may come back as it is. */
  leave(mayReturn: boolean): void;
}

/** Calls back until the returned function is called, which removes every listener. */
export function onPage({ wake, leave }: PageHandlers): () => void {
  const listeners = new AbortController();
  const options = { signal: listeners.signal };
  // Neither exists in Node; a Worker has no document.
  if (typeof globalThis.addEventListener === 'function') {
    globalThis.addEventListener('online', wake, options);
    globalThis.addEventListener('pageshow', wake, options);
    globalThis.addEventListener('pagehide', (event) => leave((event as PageTransitionEvent).persisted), options);
  }
  if (typeof document !== 'undefined') {
    // Hidden is the last that a phone tells of a page which it then ends.
    const turned = () => (document.visibilityState === 'visible' ? wake() : leave(true));
    document.addEventListener('visibilitychange', turned, options);
    document.addEventListener('freeze', () => leave(true), options);
    document.addEventListener('resume', wake, options);
  }
  return () => listeners.abort();
}
