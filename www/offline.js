// Once the page is there: sees to it that it can be opened without the server the next time.

async function keepPage() {
  // None outside a secure context.
  const workers = navigator.serviceWorker;
  if (!workers) return;
  await workers.register('/sw.js');
  const { active } = await workers.ready;
  const urls = performance.getEntriesByType('resource').map(({ name }) => name);
  active.postMessage({ urls: [location.href, ...urls] });
}

/** Call it when nothing more is to be loaded. A browser that does not want to is no reason to stop. */
export function workOffline() {
  keepPage().catch((error) => console.info('this page cannot be opened without its server:', error));
}
