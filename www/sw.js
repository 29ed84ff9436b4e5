// Lets the demo pages be opened while the server cannot be reached. Network first: what the server has is what is shown,
// and what it sent last is shown only when it does not answer. Nothing but the pages and the package is kept.

/** A new number forgets what was kept under the old one. */
const CACHE = 'peersync-pages-1';
/** A server that does not answer within this is not waited for, if there is a copy. */
const PATIENCE_MS = 3_000;
const PAGE = /^\/((notepad|whiteboard)\/)?$/;
const PART = /^\/(sdk|pkg|vendor|notepad|whiteboard)\/[^?]+\.(js|css|wasm)$|^\/[\w-]+\.(js|css|svg)$/;

/** What a request is kept under; `undefined`: it is none of ours. A page is the same for every room. */
function keyOf({ method, url }) {
  const { origin, pathname } = new URL(url);
  if (method !== 'GET' || origin !== location.origin) return undefined;
  return PAGE.test(pathname) || PART.test(pathname) ? origin + pathname : undefined;
}

async function keep(key, response) {
  if (response.ok && response.type === 'basic') await (await caches.open(CACHE)).put(key, response);
}

async function answer(key, fresh) {
  const kept = async () => (await caches.open(CACHE)).match(key);
  // A proxy answers for a server that is gone.
  const sound = fresh.then((response) => {
    if (response.status >= 500) throw new Error(`the server answers ${response.status}`);
    return response;
  });
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS)).then(kept);
  // Without a copy the network is waited for, however long that takes.
  return Promise.race([sound, late.then((copy) => copy ?? sound)]).catch(async () => (await kept()) ?? fresh);
}

addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => {
  const forget = async () => {
    const names = await caches.keys();
    const old = names.filter((name) => name.startsWith('peersync-pages-') && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
  };
  event.waitUntil(Promise.all([forget(), clients.claim()]));
});
addEventListener('fetch', (event) => {
  const key = keyOf(event.request);
  if (!key) return;
  const fresh = fetch(event.request);
  // At once: the event may be over before the network answers. And first: whoever reads the answer uses it up.
  event.waitUntil(fresh.then((response) => keep(key, response.clone())).catch(() => {}));
  event.respondWith(answer(key, fresh));
});
// The page that brought this worker was loaded without it: it names what it is made of.
addEventListener('message', (event) => {
  const { urls } = event.data;
  const fetched = urls.map(async (url) => {
    const key = keyOf({ method: 'GET', url });
    if (key && !(await (await caches.open(CACHE)).match(key))) await keep(key, await fetch(key));
  });
  event.waitUntil(Promise.allSettled(fetched));
});
