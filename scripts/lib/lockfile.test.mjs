import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { bans, isBelow, lockedPackages, lockedVersion, violations } from './lockfile.mjs';
import { at } from './paths.mjs';

const LOCK = `version = 4

[[package]]
name = "yamux"
version = "0.13.9"
source = "registry+https://github.com/rust-lang/crates.io-index"
dependencies = [
 "bytes",
]

[[package]]
name = "peersync"
version = "0.1.0"

[[package]]
name = "fork"
version = "1.0.0"
source = "git+https://example.org/fork#abc"
`;
const DENY = `[bans]
wildcards = "deny"
deny = [
  # a comment
  { crate = "yamux:<0.13.10", reason = "panics" },
  { crate = "bincode", reason = "unmaintained" },
]

[sources]
deny = [
]
`;

test('versions compare by number, pre-releases come first', () => {
  assert.equal(isBelow('0.13.9', '0.13.10'), true);
  assert.equal(isBelow('0.13.10', '0.13.10'), false);
  assert.equal(isBelow('0.14.0', '0.13.10'), false);
  assert.equal(isBelow('0.50.0-alpha', '0.50.0'), true);
  assert.equal(isBelow('1.2.3+build-7', '1.2.3'), false);
});

test('a lock file below a floor, with a banned crate or a foreign source is refused', () => {
  const rules = bans(DENY);
  assert.deepEqual(violations(lockedPackages(LOCK), rules), [
    'fork comes from git+https://example.org/fork#abc; only crates.io is allowed',
    'yamux 0.13.9 is banned, 0.13.10 is the oldest allowed: panics',
  ]);
  assert.deepEqual(violations([{ name: 'bincode', version: '9.0.0' }], rules), ['bincode 9.0.0 is banned: unmaintained']);
});

test('a ban that cannot be read is an error, not a hole', () => {
  assert.throws(() => bans('[bans]\ndeny = [\n  { name = "x", version = "<1" },\n]\n[sources]\n'), /cannot read the ban/);
});

test('deny.toml is read whole', () => {
  const rules = bans(readFileSync(at('deny.toml'), 'utf8'));
  const floors = Object.fromEntries(rules.map(({ name, below }) => [name, below]));
  assert.equal(floors['libp2p-gossipsub'], '0.50.0');
  assert.equal(floors.yamux, '0.13.10');
  assert.equal(floors['quick-protobuf'], null);
  assert.ok(rules.length > 30);
});

test('one locked version is found, two are not one', () => {
  assert.equal(lockedVersion(LOCK, 'yamux'), '0.13.9');
  assert.throws(() => lockedVersion(LOCK + LOCK, 'yamux'), /2 versions/);
});
