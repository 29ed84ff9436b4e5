// What the figures were taken on. Names no host and no user.
import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { median, short } from './figures.mjs';

/** The 1-minute load average, to be noted beside a figure. */
export const load = () => os.loadavg()[0].toFixed(1);

/** Lines of "what: value". `folder` is where the servers keep their data. */
export function describeMachine(chrome, folder) {
  const cpus = os.cpus();
  return [
    ['CPU', `${cpus[0]?.model.trim() ?? 'unknown'}, ${cpus.length} cores`],
    ['memory', `${(os.totalmem() / 2 ** 30).toFixed(1)} GiB`],
    ['system', `${distribution()}, ${os.type()} ${os.release().match(/^\d+\.\d+/)?.[0] ?? ''} ${os.arch()}`],
    ['disk', `4 KiB written and flushed in ${short(flushMs(folder))} ms (median)`],
    ['browser', answer(chrome, ['--version'])],
    ['Node', process.versions.node],
    ['Rust', answer('rustc', ['--version'])],
    ['load average before', os.loadavg().map((value) => value.toFixed(1)).join(' ')],
  ];
}

function answer(program, args) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

function distribution() {
  try {
    return readFileSync('/etc/os-release', 'utf8').match(/^PRETTY_NAME="?([^"\n]+)/m)?.[1] ?? os.platform();
  } catch {
    return os.platform();
  }
}

/** What a durable write costs here, without which operations per second say little. */
function flushMs(folder) {
  const own = mkdtempSync(path.join(folder, 'flush-'));
  const file = openSync(path.join(own, 'file'), 'w');
  const block = Buffer.alloc(4_096, 1);
  const times = Array.from({ length: 100 }, () => {
    const begun = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    return performance.now() - begun;
  });
  closeSync(file);
  rmSync(own, { recursive: true });
  return median(times);
}
