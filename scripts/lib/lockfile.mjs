// Reading Cargo.lock and the version floors of deny.toml. The floors live in deny.toml only; this check enforces them
// where cargo-deny is not installed.

/** Every `{name, version, source}` of a Cargo.lock. */
export function lockedPackages(lock) {
  return lock.split('[[package]]').slice(1).map((block) => {
    const field = (name) => block.match(new RegExp(`^${name} = "(.*)"$`, 'm'))?.[1];
    return { name: field('name'), version: field('version'), source: field('source') };
  });
}

export function lockedVersion(lock, name) {
  const found = lockedPackages(lock).filter((entry) => entry.name === name);
  if (found.length !== 1) throw new Error(`Cargo.lock names ${found.length} versions of ${name}`);
  return found[0].version;
}

/** The `deny` list of `[bans]`: `{name, below, reason}`; `below` is null where every version is banned. */
export function bans(denyToml) {
  const section = denyToml.match(/^\[bans\]$([\s\S]*?)(?=^\[)/m)?.[1] ?? '';
  const list = section.match(/^deny = \[$([\s\S]*?)^\]$/m)?.[1] ?? '';
  return list.split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#')).map((line) => {
    const entry = line.match(/^\{ crate = "([\w-]+)(?::<(\d+\.\d+\.\d+))?", reason = "(.+)" \},$/);
    if (!entry) throw new Error(`deny.toml: cannot read the ban ${line}`);
    return { name: entry[1], below: entry[2] ?? null, reason: entry[3] };
  });
}

/** Whether `version` comes before `floor`; a pre-release comes before its release. */
export function isBelow(version, floor) {
  const [numbers, preRelease] = version.split('+')[0].split(/-(.*)/s);
  const left = numbers.split('.').map(Number);
  const right = floor.split('.').map(Number);
  const at = left.findIndex((number, index) => number !== right[index]);
  return at === -1 ? Boolean(preRelease) : left[at] < right[at];
}

/** What is wrong with `packages` by `rules`, one sentence each. */
export function violations(packages, rules) {
  const registry = 'registry+https://github.com/rust-lang/crates.io-index';
  const foreign = packages
    .filter(({ source }) => source && source !== registry)
    .map(({ name, source }) => `${name} comes from ${source}; only crates.io is allowed`);
  const banned = packages.flatMap(({ name, version }) =>
    rules
      .filter((rule) => rule.name === name && (rule.below === null || isBelow(version, rule.below)))
      .map((rule) => {
        const floor = rule.below ? `, ${rule.below} is the oldest allowed` : '';
        return `${name} ${version} is banned${floor}: ${rule.reason}`;
      }));
  return [...foreign, ...banned];
}
