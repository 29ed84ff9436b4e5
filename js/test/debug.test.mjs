import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { configureDebug, failure, native, open, settled } from './support.mjs';

const NAMES = ['peersync:engine', 'peersync:gossip', 'peersync:sdk', 'other:thing'];

/** Which of the names a filter lets through. */
function chosen(filter) {
  configureDebug(filter);
  return NAMES.filter((name) => native.debug?.wants(name));
}

afterEach(() => {
  configureDebug(false);
  mock.restoreAll();
});

test('a filter names parts, with stars and exclusions', async () => {
  const { client } = await open();
  assert.deepEqual(chosen(true), NAMES.slice(0, 3));
  assert.deepEqual(chosen('engine, gossip'), NAMES.slice(0, 2));
  assert.deepEqual(chosen('peersync:engine'), NAMES.slice(0, 1));
  assert.deepEqual(chosen('peersync:*,-gossip'), [NAMES[0], NAMES[2]]);
  assert.deepEqual(chosen('*'), NAMES);
  assert.deepEqual(chosen('*,-peersync:*'), NAMES.slice(3));
  assert.deepEqual(chosen('e.gine,eng'), []);
  assert.deepEqual(chosen('-gossip'), []);
  assert.equal(chosen(false).length, 0);
  assert.equal(native.debug, undefined, 'the module is told that nobody listens');
  assert.throws(() => configureDebug(7), failure('INVALID_ARGUMENT', /filter/));
  await client.close();
});

test('lines are shown a moment later, in order, under their names', async () => {
  const shown = mock.method(console, 'debug', () => {});
  const { client } = await open({ debug: 'engine' });
  native.debug.log('peersync:engine', 'decoded op=1_1');
  native.debug.log('peersync:engine', 'judged op=1_1');
  assert.equal(shown.mock.callCount(), 0, 'not while the module runs');
  await settled();
  const lines = shown.mock.calls.map((call) => call.arguments.join(' '));
  assert.deepEqual(lines, ['peersync:engine decoded op=1_1', 'peersync:engine judged op=1_1']);
  await client.close();
});

test('the wrapper tells what it hears from the module', async () => {
  const shown = mock.method(console, 'debug', () => {});
  const { client, connected } = await open({ debug: 'sdk' });
  await connected;
  await settled();
  const [name, event] = shown.mock.calls[0].arguments;
  assert.equal(name, 'peersync:sdk');
  assert.equal(typeof event.type, 'string');
  await client.close();
});
