/** Notices that the network or the page is back, so that a client need not sit out its back-off. */

/** Calls back when dialing is worth a try right now. Returns a function that removes every listener. */
export function onWake(callback: () => void): () => void {
  const listeners = new AbortController();
  const options = { signal: listeners.signal };
  // Neither exists in Node; a Worker has no document.
  if (typeof globalThis.addEventListener === 'function') {
    globalThis.addEventListener('online', callback, options);
    globalThis.addEventListener('pageshow', callback, options);
  }
  if (typeof document !== 'undefined') {
    const ifVisible = () => {
      if (document.visibilityState === 'visible') callback();
    };
    document.addEventListener('visibilitychange', ifVisible, options);
  }
  return () => listeners.abort();
}
