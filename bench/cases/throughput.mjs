// How many operations the backend makes durable, and how many it delivers, with the load on the same machine.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import path from 'node:path';
import { targetDir } from '../../scripts/lib/paths.mjs';
import { startPeersync } from '../lib/backends.mjs';
import { median, short, spread } from '../lib/figures.mjs';

const CLIENTS = 50;
const IN_FLIGHT = 64;

export async function throughput({ context, folder, quick }) {
  const [runs, seconds] = quick ? [1, 4] : [5, 10];
  const binary = process.env.PEERSYNC_LOAD || path.join(targetDir, 'release', 'examples', 'bench_load');
  const run = async (mode, inFlight) => {
    // A server of its own each time: a store that has grown is another measurement.
    const server = await startPeersync(context, folder);
    const args = [server.ws, '--mode', mode, '--clients', CLIENTS, '--seconds', seconds, '--in-flight', inFlight];
    const { stdout } = await promisify(execFile)(binary, args.map(String), { timeout: 120_000 });
    return JSON.parse(stdout);
  };
  const results = { rooms: [], light: [], fanout: [] };
  for (let time = 0; time < runs; time += 1) {
    results.rooms.push(await run('rooms', IN_FLIGHT));
    results.light.push(await run('rooms', 1));
    results.fanout.push(await run('fanout', IN_FLIGHT));
  }
  const of = (list, what) => list.map((result) => result[what]);
  const waits = (list) => ['p50', 'p95', 'p99'].map((name) => short(median(list.map(({ ackMs }) => ackMs[name])))).join(' / ');
  const rooms = of(results.rooms, 'ackedPerSecond');
  return {
    title: 'Acknowledged durable operations per second, one backend',
    how: `${CLIENTS} native clients on the same cores as the backend, one character per signed operation, counted when the backend `
      + `has it on disk; ${seconds} s after 2 s of warm-up, ${runs} run${runs > 1 ? 's: median (least to greatest)' : ''}.`,
    head: ['what', 'per second', 'acknowledged after ms, p50 / p95 / p99', 'target', 'reached'],
    rows: [
      [`${CLIENTS} rooms, ${IN_FLIGHT} in flight each: acknowledged`, spread(rooms), waits(results.rooms), '≥ 5,000', median(rooms) >= 5_000 ? 'yes' : 'no'],
      [`${CLIENTS} rooms, one in flight each: acknowledged`, spread(of(results.light, 'ackedPerSecond')), waits(results.light), '', ''],
      [`one room, 1 writer, ${CLIENTS - 1} readers: acknowledged`, spread(of(results.fanout, 'ackedPerSecond')), waits(results.fanout), '', ''],
      [`one room, 1 writer, ${CLIENTS - 1} readers: delivered`, spread(of(results.fanout, 'deliveriesPerSecond')), '', '', ''],
    ],
  };
}
