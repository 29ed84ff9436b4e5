// Who this person is: name, colour and key, remembered by the browser where it may.

const COLORS = ['#c2410c', '#a16207', '#4d7c0f', '#0f766e', '#0369a1', '#4f46e5', '#9333ea', '#be185d'];
const MOODS = ['Calm', 'Brave', 'Kind', 'Quick', 'Quiet', 'Merry', 'Clever', 'Gentle'];
const ANIMALS = ['Badger', 'Crane', 'Dolphin', 'Falcon', 'Fox', 'Heron', 'Lynx', 'Otter', 'Owl', 'Panda', 'Robin', 'Seal'];

/** How long a reloaded page waits for the page before it to be gone, which takes no time as a rule. */
const RELEASE_MS = 500;

const pick = (list) => list[Math.floor(Math.random() * list.length)];

/** Storage may be switched off, or full: then nothing is remembered. */
function remember(storage, key, value) {
  try {
    if (value === undefined) return window[storage].getItem(key);
    window[storage].setItem(key, value);
  } catch {}
  return null;
}

/** What was chosen in any tab; else what this tab was given, which stays over a reload. */
function recall(key, invent) {
  const known = remember('localStorage', key) || remember('sessionStorage', key);
  if (known) return known;
  const invented = invent();
  remember('sessionStorage', key, invented);
  return invented;
}

const random = (bytes) =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Whether this tab has `name` for itself, which it then keeps until it is closed or reloaded. */
function hold(name) {
  if (!navigator.locks) {
    // Outside a secure context: a page that another has just opened is a copy; one that was reloaded is not.
    const [navigation] = performance.getEntriesByType('navigation');
    return !(window.opener && navigation?.type === 'navigate');
  }
  return new Promise((resolve) => {
    const held = () => {
      resolve(true);
      return new Promise(() => {});
    };
    navigator.locks.request(name, { signal: AbortSignal.timeout(RELEASE_MS) }, held).catch(() => resolve(false));
  });
}

const tabLock = () => `peersync.tab.${recall('peersync.tab', () => random(8))}`;

// A tab that is opened by another, or duplicated, starts with a copy of what that one was given: two would be one author.
if (!(await hold(tabLock()))) {
  for (const key of ['tab', 'identity', 'name', 'color']) remember('sessionStorage', `peersync.${key}`, '');
  void hold(tabLock());
}

export const profile = {
  get name() {
    return recall('peersync.name', () => `${pick(MOODS)} ${pick(ANIMALS)}`);
  },
  set name(name) {
    remember('localStorage', 'peersync.name', name);
  },
  get color() {
    const color = recall('peersync.color', () => pick(COLORS));
    return /^#[0-9a-f]{6}$/i.test(color) ? color : COLORS[0];
  },
  set color(color) {
    remember('localStorage', 'peersync.color', color);
  },
  /** Takes a colour that is not in `taken`, unless the person has chosen one. Whether it did. */
  avoidColors(taken) {
    const free = COLORS.filter((color) => !taken.includes(color));
    if (free.length === 0 || !taken.includes(this.color) || remember('localStorage', 'peersync.color')) return false;
    remember('sessionStorage', 'peersync.color', pick(free));
    return true;
  },
  /** The secret of this tab's author: after a reload one's own words are still one's own. Two tabs are two people. */
  get identity() {
    const hex = recall('peersync.identity', () => random(32));
    return Uint8Array.from(hex.match(/../g), (pair) => Number.parseInt(pair, 16));
  },
};
