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
  const added: [EventTarget, string, (event: Event) => void][] = [];
  // Removed one by one: where a signal removes them, Node may forget to, once its listener was collected.
  const listen = (target: EventTarget, type: string, listener: (event: Event) => void) => {
    target.addEventListener(type, listener);
    added.push([target, type, listener]);
  };
  // Neither exists in Node; a Worker has no document.
  if (typeof globalThis.addEventListener === 'function') {
    listen(globalThis, 'online', wake);
    listen(globalThis, 'pageshow', wake);
    listen(globalThis, 'pagehide', (event) => leave((event as PageTransitionEvent).persisted));
  }
  if (typeof document !== 'undefined') {
    // Hidden is the last that a phone tells of a page which it then ends.
    listen(document, 'visibilitychange', () => (document.visibilityState === 'visible' ? wake() : leave(true)));
    listen(document, 'freeze', () => leave(true));
    listen(document, 'resume', wake);
  }
  return () => added.splice(0).forEach(([target, type, listener]) => target.removeEventListener(type, listener));
}
